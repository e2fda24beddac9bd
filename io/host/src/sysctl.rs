//! Reads and writes the network settings below `/proc/sys`, of the calling thread's network
//! namespace. Names are written as `sysctl` prints them: `net.ipv4.ip_forward`.

use std::io;
use std::path::PathBuf;

/// The value of `name`, trimmed; none where this kernel has no such setting.
pub fn read(name: &str) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path(name)) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sets `name`.
pub fn write(name: &str, value: &str) -> io::Result<()> {
    std::fs::write(path(name), value)
}

/// The names of the interfaces that have IPv6 settings, without `all` and `default`.
pub fn ipv6_interfaces() -> io::Result<Vec<String>> {
    let folder = match std::fs::read_dir("/proc/sys/net/ipv6/conf") {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names: Vec<String> = folder
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name != "all" && name != "default")
        .collect();
    names.sort();
    Ok(names)
}

/// `sysctl` swaps dots and slashes, because an interface's name may hold a dot (`eth0.10`).
fn path(name: &str) -> PathBuf {
    let swapped: String = name
        .chars()
        .map(|letter| match letter {
            '.' => '/',
            '/' => '.',
            other => other,
        })
        .collect();
    PathBuf::from("/proc/sys").join(swapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_in_an_interface_is_written_as_a_slash() {
        let table = [
            ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
            ("net.ipv6.conf.eth0/10.accept_ra", "/proc/sys/net/ipv6/conf/eth0.10/accept_ra"),
        ];
        for (name, want) in table {
            assert_eq!(path(name), PathBuf::from(want));
        }
    }

    #[test]
    fn an_unknown_setting_is_none() {
        assert_eq!(read("net.ipv4.no_such_setting").unwrap(), None);
        assert!(read("net.ipv4.ip_forward").unwrap().is_some());
    }
}
