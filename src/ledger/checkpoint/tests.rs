use proptest::prelude::*;

use super::*;

/// The example of C2SP tlog-checkpoint.
const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

fn signer() -> NoteSigner {
    NoteSigner::new("example.com/log", &[7; 32]).expect("signer")
}

#[test]
fn reads_and_writes_the_published_example() {
    let checkpoint = Checkpoint::parse(EXAMPLE).expect("checkpoint");
    assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(checkpoint.root.to_hex(), "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62");
    assert_eq!(checkpoint.text(), EXAMPLE);
    let note = checkpoint.sign(&signer()).expect("note");
    assert_eq!(Checkpoint::open(&note, &[signer().key().clone()]), Ok((checkpoint, signer().key())));
    let theirs = "— example.com/behind-the-sofa \
                  Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
    let stranger = format!("{EXAMPLE}\n{theirs}");
    assert_eq!(Checkpoint::open(&stranger, &[signer().key().clone()]), Err(NoteError::Unsigned));
}

#[test]
fn refuses_every_other_form() {
    let broken = [
        String::new(),
        EXAMPLE.trim_end().to_owned(),
        EXAMPLE.replace("example.com/behind-the-sofa", ""),
        EXAMPLE.replace("20852163", "020852163"),
        EXAMPLE.replace("20852163", "00"),
        EXAMPLE.replace("20852163", "+20852163"),
        EXAMPLE.replace("20852163", "-1"),
        EXAMPLE.replace("20852163", "2 0852163"),
        EXAMPLE.replace("20852163", ""),
        EXAMPLE.replace("20852163", "9223372036854775808"),
        EXAMPLE.replace("jxq2I=", "jxq2J="),
        EXAMPLE.replace("jxq2I=", "jxq2I"),
        EXAMPLE.replace("CsUY", ""),
        format!("{EXAMPLE}extension\n"),
        format!("{EXAMPLE}\n"),
        EXAMPLE.replacen('\n', "\n\n", 1),
    ];
    for broken in broken {
        assert!(matches!(Checkpoint::parse(&broken), Err(NoteError::Malformed(_))), "{broken}");
    }
    assert_eq!(Checkpoint::parse(&EXAMPLE.replace("20852163", "0")).map(|checkpoint| checkpoint.size), Ok(0));
    for origin in ["", "two\nlines", "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "bell\u{7}"] {
        let checkpoint = Checkpoint { origin: origin.to_owned(), size: 1, root: Digest([1; 32]) };
        assert!(checkpoint.sign(&signer()).is_err(), "{origin:?}");
    }
}

proptest! {
    #[test]
    fn agrees_with_another_implementation(
        origin in "[a-z./0-9]{1,30}",
        size in 0..=i64::MAX.cast_unsigned(),
        root in any::<[u8; 32]>(),
    ) {
        let checkpoint = Checkpoint { origin, size, root: Digest(root) };
        let theirs = tlog_tiles::Checkpoint::from_bytes(checkpoint.text().as_bytes()).expect("checkpoint");
        prop_assert_eq!((theirs.origin(), theirs.size()), (checkpoint.origin.as_str(), checkpoint.size));
        prop_assert_eq!((theirs.hash().0, theirs.extension()), (root, ""));
        prop_assert_eq!(theirs.to_bytes(), checkpoint.text().into_bytes());
        prop_assert_eq!(Checkpoint::parse(&checkpoint.text()), Ok(checkpoint));
    }
}
