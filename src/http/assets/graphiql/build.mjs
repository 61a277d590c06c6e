// Bundles page/main.jsx and its styles, packs them, and writes down whose code they hold.
import { build } from 'esbuild';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

mkdirSync('dist', { recursive: true });
const { metafile, outputFiles } = await build({
  entryPoints: { app: 'page/main.jsx' },
  outdir: 'dist',
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  legalComments: 'none', // the licences stand in LICENSES.txt, complete
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.svg': 'dataurl' },
});
for (const file of outputFiles) {
  writeFileSync(`${file.path}.gz`, gzipSync(file.contents, { level: 9 }));
}
for (const name of ['index.html', 'favicon.svg']) copyFileSync(`page/${name}`, `dist/${name}`);

// Every package that gave a file to the bundle, with its licence text.
const bundled = new Set();
for (const input of Object.keys(metafile.inputs)) {
  const parts = input.split('node_modules/');
  if (parts.length < 2) continue;
  const inner = parts.pop().split('/');
  const name = inner[0].startsWith('@') ? inner.slice(0, 2).join('/') : inner[0];
  bundled.add(`${parts.join('node_modules/')}node_modules/${name}`);
}
const notices = [...bundled].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file && existsSync(path.join(folder, file)) ? readFileSync(path.join(folder, file), 'utf8').trim() : '';
  return `${name} ${version} (${license})\n\n${text || 'The package carries no licence text of its own.'}`;
});
const rule = `\n\n${'-'.repeat(80)}\n\n`;
writeFileSync('dist/LICENSES.txt', ['Code of others in the GraphiQL page, as bundled', ...notices].join(rule) + '\n');
console.log(`bundled ${bundled.size} packages`);
