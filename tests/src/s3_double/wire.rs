//! One connection: requests come in, are done by `s3s` or not, and are answered, wrongly where a fault says so.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::CONTENT_LENGTH,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use s3s::service::S3Service;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{
    asked::{Asked, signer},
    faults::{Fired, Hit, WireFault, WireFaults},
    keys::Keys,
};

/// Pieces of a body that comes slowly, and the pause between two.
const PIECES: usize = 8;
const PAUSE: Duration = Duration::from_millis(2);

/// A body that may break off, and what it comes as.
type Body = UnsyncBoxBody<Bytes, io::Error>;
type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// What answers, and what disturbs it.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) service: S3Service,
    pub(crate) faults: Arc<WireFaults>,
    pub(crate) keys: Keys,
    /// Only requests that are signed with it are disturbed.
    pub(crate) disturbed: &'static str,
}

/// Answers what comes over a connection, until it ends or a fault ends it.
pub(crate) async fn serve(stream: TcpStream, server: Server) {
    // A client that waits for the rest of a small answer would wait for the clock.
    let _set = stream.set_nodelay(true);
    let cut = Cut::default();
    let wire = Wire { stream, cut: cut.clone() };
    let answering = service_fn(|request| answer(&server, &cut, request));
    // However it ended: the client has seen it.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(wire), answering).await;
}

async fn answer(server: &Server, cut: &Cut, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    // All of it is read first, so that a client always sees an answer, and not that nobody listens any more.
    let body = BodyExt::collect(body).await.map_err(io::Error::other)?.to_bytes();
    let key = signer(&parts).map(str::to_owned);
    let hit = match key.as_deref() {
        Some(key) if key == server.disturbed => server.faults.decide(&Asked::of(&parts)),
        Some(_) | None => None,
    };
    let request = Request::from_parts(parts, body);
    let Some(Hit { fault, fired }) = hit else { return Ok(whole(done(server, request).await?)) };
    match fault {
        WireFault::SlowDown => refused(503, "SlowDown", &fired),
        WireFault::TooManyRequests => refused(429, "TooManyRequests", &fired),
        WireFault::InternalError => refused(500, "InternalError", &fired),
        WireFault::Conflict => refused(409, "ConditionalRequestConflict", &fired),
        WireFault::ErrorInSuccess => refused(200, "InternalError", &fired),
        WireFault::Reset => {
            fired.note();
            Err(cut.reset())
        }
        WireFault::KeyEnds(ended) => {
            fired.note();
            server.keys.set(server.disturbed, Some(ended));
            Ok(whole(done(server, request).await?))
        }
        WireFault::AnswerLost => {
            let answer = done(server, request).await?;
            if !answer.status().is_success() {
                return Ok(whole(answer));
            }
            fired.note();
            Err(cut.reset())
        }
        WireFault::ResetInBody => Ok(disturbed(done(server, request).await?, &fired, |body| reset_in(body, cut))),
        WireFault::CutShort => Ok(disturbed(done(server, request).await?, &fired, |body| half_of(body).boxed())),
        WireFault::Stalled => {
            let stalls = |body: &Bytes| half_of(body).chain(stream::pending()).boxed();
            Ok(disturbed(done(server, request).await?, &fired, stalls))
        }
        WireFault::Slow => Ok(disturbed(done(server, request).await?, &fired, slowly)),
    }
}

/// Lets `s3s` do what is asked.
async fn done(server: &Server, request: Request<Bytes>) -> io::Result<Response<Bytes>> {
    let answer = server.service.call(request.map(s3s::Body::from)).await;
    let (parts, body) = answer.map_err(|error| io::Error::other(format!("{error:?}")))?.into_parts();
    let body = BodyExt::collect(body).await.map_err(io::Error::other)?.to_bytes();
    Ok(Response::from_parts(parts, body))
}

fn whole(answer: Response<Bytes>) -> Response<Body> {
    answer.map(|bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
}

/// The document of an error.
fn refused(status: u16, code: &str, fired: &Fired) -> io::Result<Response<Body>> {
    fired.note();
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>a fault of the test</Message></Error>"
    );
    let mut answer = Response::new(Bytes::from(document));
    *answer.status_mut() = StatusCode::from_u16(status).map_err(io::Error::other)?;
    Ok(whole(answer))
}

/// The same answer, whose body comes otherwise than it should: `break_it` says how. What has no body stays as it is.
fn disturbed(answer: Response<Bytes>, fired: &Fired, break_it: impl FnOnce(&Bytes) -> Pieces) -> Response<Body> {
    if !answer.status().is_success() || answer.body().is_empty() {
        return whole(answer);
    }
    fired.note();
    let (mut parts, body) = answer.into_parts();
    parts.headers.insert(CONTENT_LENGTH, body.len().into());
    let pieces = break_it(&body).map(|piece| piece.map(Frame::data));
    Response::from_parts(parts, StreamBody::new(pieces).boxed_unsync())
}

/// The first half.
fn half_of(body: &Bytes) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    stream::iter([Ok(body.slice(..body.len() / 2))])
}

/// The first half, then a reset.
fn reset_in(body: &Bytes, cut: &Cut) -> Pieces {
    let cut = cut.clone();
    let end = stream::once(async move {
        // Polled again when what came before has been handed to the network.
        tokio::task::yield_now().await;
        Err(cut.reset())
    });
    half_of(body).chain(end).boxed()
}

/// All of it, piece by piece.
fn slowly(body: &Bytes) -> Pieces {
    let length = body.len().div_ceil(PIECES);
    let pieces: Vec<Bytes> = body.chunks(length).map(|piece| body.slice_ref(piece)).collect();
    let after_a_pause = |piece| async move {
        tokio::time::sleep(PAUSE).await;
        Ok(piece)
    };
    stream::iter(pieces).then(after_a_pause).boxed()
}

/// Whether a connection is to end with a reset.
#[derive(Debug, Clone, Default)]
struct Cut(Arc<AtomicBool>);

impl Cut {
    /// It is; what ends the connection.
    fn reset(&self) -> io::Error {
        self.0.store(true, Ordering::Relaxed);
        io::ErrorKind::ConnectionReset.into()
    }
}

/// A connection that may end with a reset in place of a farewell.
struct Wire {
    stream: TcpStream,
    cut: Cut,
}

impl Wire {
    fn is_cut(&self) -> bool {
        self.cut.0.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.is_cut() {
            // What closes it now sends a reset.
            let _set = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
