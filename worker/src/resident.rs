//! The resident set of this process, where the machine says it.

use rechunk_common::ByteCount;

/// The largest resident set so far.
pub fn peak_rss() -> Option<ByteCount> {
    of_status("VmHWM:")
}

/// The resident set now.
pub fn current_rss() -> Option<ByteCount> {
    of_status("VmRSS:")
}

fn of_status(field: &str) -> Option<ByteCount> {
    parse(&std::fs::read_to_string("/proc/self/status").ok()?, field)
}

/// `VmHWM:      1234 kB`.
fn parse(status: &str, field: &str) -> Option<ByteCount> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024).map(ByteCount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_read_in_bytes() {
        let status = "Name:\trechunk\nVmHWM:\t    2048 kB\nVmRSS:\t 100 kB\n";
        assert_eq!(parse(status, "VmHWM:"), Some(ByteCount(2 << 20)));
        assert_eq!(parse(status, "VmSwap:"), None);
    }
}
