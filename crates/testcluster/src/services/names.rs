//! Names of Services: as much of DNS (RFC 1035) as one question for one address takes.

use std::net::{Ipv4Addr, UdpSocket};

const DOMAIN: &str = ".svc.cluster.local";
const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const NO_SUCH_NAME: u8 = 3;

/// Answer a question, or come back after a moment without one. `find` gets `service.namespace`.
pub(super) fn answer_one(socket: &UdpSocket, find: impl Fn(&str) -> Option<Ipv4Addr>) {
    let mut packet = [0; 512];
    let Ok((length, from)) = socket.recv_from(&mut packet) else { return };
    if let Some(answer) = answer(&packet[..length], find) {
        // Who asked asks again.
        let _ = socket.send_to(&answer, from);
    }
}

/// `None` = not a question.
fn answer(question: &[u8], find: impl Fn(&str) -> Option<Ipv4Addr>) -> Option<Vec<u8>> {
    let (name, end) = name(question)?;
    let kind = u16::from_be_bytes([*question.get(end)?, *question.get(end + 1)?]);
    let question_end = end + 4;
    let address = name.strip_suffix(DOMAIN).and_then(find);
    let has_answer = address.is_some() && kind == TYPE_A;
    let mut answer = question.get(..question_end)?.to_vec();
    answer[2] = 0x84 | (question[2] & 1);
    answer[3] = if address.is_some() { 0 } else { NO_SUCH_NAME };
    // Counts: one question, an answer or none, nothing else.
    answer[4..HEADER].copy_from_slice(&[0, 1, 0, u8::from(has_answer), 0, 0, 0, 0]);
    if let Some(address) = address.filter(|_| has_answer) {
        // The name as in the question, type A, class IN, for 5 seconds, 4 bytes.
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4]);
        answer.extend_from_slice(&address.octets());
    }
    Some(answer)
}

/// The name that is asked for, in lower case, and where it ends.
fn name(packet: &[u8]) -> Option<(String, usize)> {
    let mut at = HEADER;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = packet.get(at..at + length).filter(|_| length < 64)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, kind: u8) -> Vec<u8> {
        let mut packet = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            packet.push(u8::try_from(label.len()).unwrap());
            packet.extend_from_slice(label.as_bytes());
        }
        packet.extend_from_slice(&[0, 0, kind, 0, 1]);
        packet
    }

    #[test]
    fn services_have_an_address_and_other_names_have_none() {
        let find = |name: &str| (name == "rutter-agents.rutter").then_some(Ipv4Addr::new(10, 0, 0, 7));
        let asked = |name: &str, kind| answer(&question(name, kind), find).unwrap();
        let found = asked("Rutter-Agents.rutter.svc.cluster.local", 1);
        assert_eq!((found[3], found[7], &found[found.len() - 4..]), (0, 1, &[10, 0, 0, 7][..]));
        let no_data = asked("rutter-agents.rutter.svc.cluster.local", 28);
        assert_eq!((no_data[3], no_data[7]), (0, 0), "there is no IPv6 address");
        assert_eq!(asked("rutter-agents.rutter.svc.rutter.svc.cluster.local", 1)[3], NO_SUCH_NAME);
        assert_eq!(asked("example.org", 1)[3], NO_SUCH_NAME);
    }

    #[test]
    fn what_is_no_question_is_not_answered() {
        for packet in [&[][..], &[0; 12], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 63, 1]] {
            assert_eq!(answer(packet, |_| None), None);
        }
    }
}
