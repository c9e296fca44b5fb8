//! Why a program ends: the sentence, and the exit code.

use std::process::ExitCode;

/// A program that did not do what it was started for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it exits with.
    pub code: u8,
    /// One sentence for people.
    pub message: String,
}

impl Failure {
    /// The flags or the configuration are wrong.
    pub fn wrong(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// It broke off while it ran.
    pub fn broken(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// Says why on standard error.
    pub fn report(&self) -> ExitCode {
        eprintln!("error: {}", self.message);
        ExitCode::from(self.code)
    }
}
