//! Which addresses are public, private or never to be reached.
//!
//! IPv6 has several ways to write an IPv4 address; each is taken apart and judged as the address it leads to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// On the public internet.
    Public,
    /// Loopback, private, shared or reserved networks: only when the policy says so.
    Private,
    /// Link-local, cloud metadata, multicast, unspecified, broadcast: never.
    Never,
}

/// Judges an address.
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => embedded(v6).map_or(Reach::Public, reach_v4).max(reach_v6(v6)),
    }
}

/// Metadata services outside the link-local block: Alibaba, Oracle, Azure.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192), Ipv4Addr::new(168, 63, 129, 16)];
/// Amazon's metadata service over IPv6.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

fn reach_v4(v4: Ipv4Addr) -> Reach {
    let [a, b, c, _] = v4.octets();
    let never = a == 0 || (a, b) == (169, 254) || a >= 224 || METADATA_V4.contains(&v4);
    if never {
        return Reach::Never;
    }
    let shared = a == 100 && (64..128).contains(&b);
    let reserved = (a, b, c) == (192, 0, 0) || a == 198 && (18..20).contains(&b) || v4.is_documentation();
    if v4.is_loopback() || v4.is_private() || shared || reserved { Reach::Private } else { Reach::Public }
}

fn reach_v6(v6: Ipv6Addr) -> Reach {
    let s = v6.segments();
    let link_local = s[0] & 0xffc0 == 0xfe80;
    if v6.is_unspecified() || v6.is_multicast() || link_local || v6 == METADATA_V6 {
        return Reach::Never;
    }
    let unique_local = s[0] & 0xfe00 == 0xfc00;
    let site_local = s[0] & 0xffc0 == 0xfec0;
    let local_nat64 = (s[0], s[1], s[2]) == (0x64, 0xff9b, 1);
    let discard = s[..4] == [0x100, 0, 0, 0];
    let documentation = (s[0], s[1]) == (0x2001, 0xdb8) || s[0] == 0x3fff && s[1] < 0x1000;
    if v6.is_loopback() || unique_local || site_local || local_nat64 || discard || documentation {
        return Reach::Private;
    }
    Reach::Public
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, NAT64, 6to4, Teredo, ISATAP.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = v6.segments();
    let of = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Some(Ipv4Addr::new(a, b, c, d))
    };
    let compatible = s[..6] == [0; 6] && !v6.is_loopback() && !v6.is_unspecified();
    let mapped = s[..6] == [0, 0, 0, 0, 0, 0xffff] || s[..6] == [0, 0, 0, 0, 0xffff, 0];
    let nat64 = s[..6] == [0x64, 0xff9b, 0, 0, 0, 0] || (s[0], s[1], s[2]) == (0x64, 0xff9b, 1);
    let isatap = s[4] & 0xfdff == 0 && s[5] == 0x5efe;
    if compatible || mapped || nat64 || isatap {
        return of(s[6], s[7]);
    }
    match (s[0], s[1]) {
        (0x2002, _) => of(s[1], s[2]),
        (0x2001, 0) => of(!s[6], !s[7]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Reach {
        reach(text.parse().unwrap())
    }

    #[test]
    fn never_reached() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "::",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:0:1:2:3:4:5601:5601",
            "fe80::5efe:10.0.0.1",
            "2001:470::5efe:a9fe:a9fe",
            "::ffff:0:169.254.1.1",
            "::ffff:0.0.0.0",
        ] {
            assert_eq!(of(text), Reach::Never, "{text}");
        }
    }

    #[test]
    fn private() {
        for text in [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "198.18.0.1",
            "192.0.2.1",
            "::1",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "2001:db8::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:c0a8:101::",
        ] {
            assert_eq!(of(text), Reach::Private, "{text}");
        }
    }

    #[test]
    fn public() {
        for text in [
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "64:ff9b::808:808",
        ] {
            assert_eq!(of(text), Reach::Public, "{text}");
        }
    }
}
