//! A connection's bytes, and reading and writing as the gateway does it: by reference, so that both
//! ways are used at a time, and with buffers only when there is something to read.

use std::cell::Cell;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;

use super::Wire;
use super::buffers::{Buffer, BufferPool};
use super::session::{Session, Unshaken};
use super::socket::Socket;

/// When a silent peer is asked whether it is there, and how often; as Traefik asks clients, and
/// more often once it does not answer.
const ALIVE_AFTER: Duration = Duration::from_mins(3);
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// The kernel waits no longer (32,767 s).
const MOST_SILENT: Duration = Duration::from_secs(32_767);

/// A connection, to a client or to an endpoint: plain, or TLS.
pub(crate) struct Stream {
    socket: Socket,
    session: Option<Box<Session>>,
    made: Instant,
    /// How many exchanges it has carried to their end.
    carried: Cell<u32>,
}

impl Stream {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream.into())
    }

    /// From now on it is this session of TLS, of which the handshake may have begun.
    pub(crate) fn secure(&mut self, connection: impl Into<rustls::Connection>) {
        self.session = Some(Box::new(Session::new(connection.into())));
    }

    /// Goes on with the handshake until it is over.
    pub(crate) fn poll_shake(&self, cx: &mut Context<'_>) -> Poll<Result<(), Unshaken>> {
        match &self.session {
            Some(session) => session.poll_shake(&self.socket, cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// What was agreed on in the handshake; none where there is no TLS.
    pub(crate) fn agreed<T>(&self, read: impl FnOnce(&rustls::Connection) -> T) -> Option<T> {
        self.session.as_ref().map(|session| session.agreed(read))
    }

    /// Ready when there may be something to read; what was decrypted already may be.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.session {
            None => self.socket.0.poll_read_ready(cx),
            Some(_) => Poll::Ready(Ok(())),
        }
    }

    /// Reads into `room`. 0 means the other side has closed.
    pub(super) fn poll_bytes(
        &self,
        room: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match &self.session {
            None => self.socket.poll_bytes(room, cx),
            Some(session) => session.poll_read(&self.socket, room, cx),
        }
    }

    /// Since when there is it.
    pub(crate) fn made(&self) -> Instant {
        self.made
    }

    /// How many exchanges it has carried to their end.
    pub(crate) fn carried(&self) -> u32 {
        self.carried.get()
    }

    /// One exchange more has come to its end.
    pub(crate) fn carry_one(&self) {
        self.carried.set(self.carried.get().saturating_add(1));
    }

    /// The address of our side.
    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.0.local_addr()
    }

    /// A peer that is gone is noticed also where nobody says anything: it is asked after a silence
    /// as long as `every`, where that is said, and as often then.
    pub(crate) fn keep_alive(&self, every: Option<Duration>) {
        // The kernel counts in seconds, and takes none for a mistake.
        let every = every.map(|it| it.clamp(Duration::from_secs(1), MOST_SILENT));
        let (after, every) = every.map_or((ALIVE_AFTER, ALIVE_EVERY), |it| (it, it));
        let alive = TcpKeepalive::new().with_time(after).with_interval(every);
        // A socket that is broken already says so when it is read.
        let _ = SockRef::from(&self.socket.0).set_tcp_keepalive(&alive);
    }

    /// No bytes and no end, as the kernel has it now.
    pub(crate) fn is_silent(&self) -> bool {
        self.socket.is_silent() && self.has_no_rest()
    }

    /// No bytes and no end as of the reactor's last turn: costs nothing while nothing has arrived.
    pub(crate) fn is_alive(&self) -> bool {
        self.socket.is_alive() && self.has_no_rest()
    }

    /// Nothing that was read of the socket is to be read here.
    fn has_no_rest(&self) -> bool {
        self.session.as_ref().is_none_or(|session| session.is_silent())
    }
}

impl Wire for Stream {
    fn poll_read(
        &self,
        pool: &Rc<BufferPool>,
        slot: &mut Option<Buffer>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        pool.fill(slot, |room| self.poll_bytes(room, cx))
    }

    fn poll_write(
        &self,
        slices: [&[u8]; 3],
        last: bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        /// `MSG_MORE | MSG_NOSIGNAL` of Linux.
        const MORE: i32 = 0x8000 | 0x4000;
        if let Some(session) = &self.session {
            return session.poll_write(&self.socket, slices, cx);
        }
        let to = &self.socket.0;
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        let Some(first) = filled.next() else { return Poll::Ready(Ok(0)) };
        let alone = filled.next().is_none();
        loop {
            let written = match (alone, last) {
                (true, false) => to.try_write(first),
                (true, true) => {
                    to.try_io(Interest::WRITABLE, || SockRef::from(to).send_with_flags(first, MORE))
                }
                (false, _) => to.try_write_vectored(&slices.map(io::IoSlice::new)),
            };
            match written {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
            ready!(to.poll_write_ready(cx))?;
        }
    }

    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.socket.0.ready(interest).await
    }

    fn say_farewell(&self) {
        if let Some(session) = &self.session {
            session.close(&self.socket);
        }
    }

    fn close(&self) -> io::Result<()> {
        self.say_farewell();
        SockRef::from(&self.socket.0).shutdown(Shutdown::Write)
    }

    fn reset(&self) {
        let _ = SockRef::from(&self.socket.0).set_linger(Some(Duration::ZERO));
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        let (made, carried) = (Instant::now(), Cell::default());
        Self { socket: Socket(stream), session: None, made, carried }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    async fn pair() -> (Stream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = Stream::connect(listener.local_addr().unwrap()).await.unwrap();
        (ours, listener.accept().unwrap().0)
    }

    #[tokio::test]
    async fn a_silent_peer_is_asked_as_often_as_is_said() {
        let (ours, _theirs) = pair().await;
        let asked = |ours: &Stream| {
            let socket = SockRef::from(&ours.socket.0);
            assert!(socket.keepalive().unwrap());
            [socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap()]
        };
        for (every, expected) in [
            (None, [ALIVE_AFTER, ALIVE_EVERY]),
            (Some(Duration::from_secs(20)), [Duration::from_secs(20); 2]),
            (Some(Duration::from_millis(5)), [Duration::from_secs(1); 2]),
            (Some(Duration::from_hours(99)), [MOST_SILENT; 2]),
        ] {
            ours.keep_alive(every);
            assert_eq!(asked(&ours), expected, "{every:?}");
        }
    }

    #[tokio::test]
    async fn what_is_not_taken_is_waited_for_and_not_for_ever() {
        let bytes = vec![b'x'; 16 << 20];
        let (ours, mut theirs) = pair().await;
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).map(|_| all.len())
        });
        ours.write_all(&bytes, Duration::from_secs(60)).await.unwrap();
        ours.close().unwrap();
        assert_eq!(reading.join().unwrap().unwrap(), bytes.len());
        let (ours, _theirs) = pair().await;
        let (error, taken) = ours.write_all(&bytes, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!((1..bytes.len()).contains(&taken), "{taken}");
    }

    #[tokio::test]
    async fn who_has_closed_is_not_alive() {
        let (ours, theirs) = pair().await;
        assert!(ours.is_alive() && ours.is_silent());
        drop(theirs);
        ours.ready(Interest::READABLE).await.unwrap();
        assert!(!ours.is_alive() && !ours.is_silent());
    }
}
