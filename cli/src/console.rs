//! Writing to the terminal. A reader that has gone (`rechunk jobs | head`) is no reason to break off: the work goes on,
//! and what nobody reads is not said.

/// A line on standard output: results.
macro_rules! say {
    ($($text:tt)*) => {{
        let _nobody_reads = std::io::Write::write_fmt(
            &mut std::io::stdout().lock(), format_args!("{}\n", format_args!($($text)*)));
    }};
}

/// Text on standard output that brings its own line ends.
macro_rules! say_text {
    ($($text:tt)*) => {{
        let _nobody_reads = std::io::Write::write_fmt(&mut std::io::stdout().lock(), format_args!($($text)*));
    }};
}

/// A line on standard error: everything that is not a result.
macro_rules! tell {
    ($($text:tt)*) => {{
        let _nobody_reads = std::io::Write::write_fmt(
            &mut std::io::stderr().lock(), format_args!("{}\n", format_args!($($text)*)));
    }};
}

pub(crate) use {say, say_text, tell};
