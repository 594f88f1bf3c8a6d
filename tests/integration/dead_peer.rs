//! A machine that is gone without a word: found within 30 s by the probes of TCP, whatever rcli waits for (contract
//! section 8's bound, kept for every connection).

use crate::rcli::rcli;
use socket2::{SockFilter, SockRef};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// The instruction of a packet filter that lets so many bytes of a packet pass.
const PASS: u16 = 0x06;

/// The server's end of a connection that rcli has just made; it has read a command and answered that.
fn answer_one(listener: &TcpListener, answer: &str) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    let _ = stream.read(&mut [0; 1000]).unwrap();
    stream.write_all(answer.as_bytes()).unwrap();
    stream
}

/// From now on nothing that comes reaches the socket, and its kernel acknowledges nothing, as if the machine were gone.
fn die(stream: &TcpStream) {
    let filter = SockFilter::new(PASS, 0, 0, 0);
    SockRef::from(stream).attach_filter(&[filter]).expect("a kernel that can drop what comes to a socket");
}

#[test]
fn a_machine_that_is_gone_is_found_within_30_s_by_who_waits_and_by_who_sends() {
    let listeners = [(); 3].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    let ports = listeners.each_ref().map(|listener| listener.local_addr().unwrap().port().to_string());

    let waiting = rcli(["-p", &ports[0], "BLPOP", "k", "0"]).status(3);
    let waiting = waiting.complains(&["connection lost", "timed out"]).start();
    let gone = answer_one(&listeners[0], "");
    die(&gone);

    let piping = rcli(["-p", &ports[1], "pipe"]).stdin("BLPOP k 0\n").status(3);
    let piping = piping.complains(&["connection lost", "1 sent and unanswered"]).start();
    let gone_too = answer_one(&listeners[1], "");
    die(&gone_too);

    // What is sent and not acknowledged is sent again and again, and no probe is sent meanwhile.
    let sending = rcli(["-p", &ports[2]]).interactive().prints("PONG\n").status(3);
    let mut sending = sending.complains(&["stdin:2", "connection lost", "timed out"]).start();
    sending.send_line("PING");
    let gone_at_last = answer_one(&listeners[2], "+PONG\r\n");
    sending.wait_for_lines(1);
    die(&gone_at_last);
    sending.send_line("PING");

    for run in [waiting, piping, sending] {
        run.finish_with_open_stdin();
    }
}
