//! What happens to the platform.

vocabulary!(
    /// A part of the platform.
    SystemComponent {
        /// A background worker.
        Worker = "WORKER",
        /// An API server.
        Api = "API",
        /// A scheduler.
        Scheduler = "SCHEDULER",
        /// A database.
        Db = "DB",
        /// Authentication.
        Auth = "AUTH",
        /// A change of the schema.
        Migration = "MIGRATION",
        /// Anything else.
        Other = "OTHER",
    }
);

vocabulary!(
    /// What happened to the platform.
    SystemEventType {
        /// It started.
        Startup = "STARTUP",
        /// It stopped.
        Shutdown = "SHUTDOWN",
        /// It stopped and started.
        Restart = "RESTART",
        /// Another version of it came into service.
        Deploy = "DEPLOY",
        /// Its schema or data were changed.
        Migration = "MIGRATION",
        /// Who may do what was changed.
        AuthChange = "AUTH_CHANGE",
        /// Its settings were changed.
        ConfigChange = "CONFIG_CHANGE",
        /// It failed.
        Error = "ERROR",
        /// Its health was looked at.
        HealthCheck = "HEALTH_CHECK",
        /// Anything else.
        Other = "OTHER",
    }
);

vocabulary!(
    /// How bad a system record is.
    SystemSeverity {
        /// Nothing is wrong.
        Info = "INFO",
        /// Something may go wrong.
        Warn = "WARN",
        /// Something went wrong.
        Critical = "CRITICAL",
    }
);

vocabulary!(
    /// What kind of cause a system record has.
    SystemCausedBy {
        /// The platform itself.
        System = "SYSTEM",
        /// A person.
        Human = "HUMAN",
        /// A program that acts on the platform: a pipeline, a scaler.
        Automation = "AUTOMATION",
    }
);
