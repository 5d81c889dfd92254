//! The client against a server of a few lines, which answers what a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{Credentials, S3Settings, S3Store, connect};
use crate::storage::{Hidden, Kind, StorageError};

/// What the server answers: a status and a body.
type Answer = (u16, Vec<u8>);

/// Instead of a status: the connection is closed without an answer.
const HANGS_UP: u16 = 0;

struct Server {
    address: String,
    /// The heads of all requests.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `answer` gets the number of the request.
    fn start(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (heads, answer, count) = (Arc::clone(&seen), Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (heads, answer, count) = (Arc::clone(&heads), Arc::clone(&answer), Arc::clone(&count));
                std::thread::spawn(move || serve(&stream, &heads, &*answer, &count));
            }
        });
        Server { address, seen }
    }

    fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn store(&self, settings: S3Settings) -> S3Store {
        let hidden = |text: &str| Hidden::new(text.to_owned());
        let keys = Credentials::Keys {
            access_key_id: hidden("AKIAUNITTEST"),
            secret_access_key: hidden("unit-test-secret"),
            session_token: None,
        };
        let settings = S3Settings { endpoint: Some(self.address.clone()), credentials: Some(keys), ..settings };
        connect("lake", &settings, std::iter::empty()).unwrap()
    }
}

fn serve(stream: &TcpStream, heads: &Mutex<Vec<String>>, answer: &dyn Fn(usize) -> Answer, count: &AtomicUsize) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        heads.lock().unwrap().push(head);
        let (status, body) = answer(count.fetch_add(1, Ordering::SeqCst));
        if status == HANGS_UP {
            return;
        }
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nETag: \"v1\"\r\nLast-Modified: Sat, 10 Dec 2011 00:00:00 GMT\r\n\r\n",
            body.len()
        );
        let mut stream = stream;
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
            return;
        }
    }
}

async fn read(store: &S3Store) -> Result<Vec<u8>, StorageError> {
    let failed = |error| StorageError::store("read", "s3://lake/x", &error);
    let object = store.get(&Path::from("x")).await.map_err(failed)?;
    object.bytes().await.map_err(failed).map(|bytes| bytes.to_vec())
}

#[tokio::test]
async fn a_flipped_bit_is_found_by_reading_twice() {
    let server = Server::start(|number| (200, if number == 0 { b"lakd".to_vec() } else { b"lake".to_vec() }));
    assert_eq!(read(&server.store(S3Settings::default())).await.unwrap(), b"lake");
    assert_eq!(server.requests(), 3, "http is read twice by default");
    let once = S3Settings { read_twice: Some(false), ..S3Settings::default() };
    assert_eq!(read(&server.store(once)).await.unwrap(), b"lake");
    assert_eq!(server.requests(), 4);
}

#[tokio::test]
async fn what_is_never_the_same_twice_is_an_error() {
    let server = Server::start(|number| (200, format!("{number:04}").into_bytes()));
    let error = read(&server.store(S3Settings::default())).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Transient);
    assert!(error.detail.contains("different bytes"), "{error}");
}

#[tokio::test]
async fn only_the_version_that_was_listed_is_read() {
    let server = Server::start(|_| (412, b"<Error><Code>PreconditionFailed</Code></Error>".to_vec()));
    let store = server.store(S3Settings::default());
    store.only(Path::from("x"), "\"v1\"".to_owned());
    let error = read(&store).await.unwrap_err();
    assert_eq!((error.kind(), error.detail.as_str()), (Kind::Transient, "it changed while it was read"));
    assert!(server.seen.lock().unwrap()[0].to_lowercase().contains("if-match: \"v1\""));
}

#[tokio::test]
async fn a_dead_server_gets_one_budget_and_not_one_a_request() {
    let server = Server::start(|_| (503, b"busy".to_vec()));
    let retry = Some(Duration::from_secs(1));
    let store = server.store(S3Settings { retry, read_twice: Some(false), ..S3Settings::default() });
    assert_eq!(read(&store).await.unwrap_err().kind(), Kind::Transient);
    let patient = server.requests();
    assert!(patient > 2, "{patient} requests in the budget");
    assert_eq!(read(&store).await.unwrap_err().kind(), Kind::Transient);
    assert_eq!(server.requests(), patient + 1);
}

#[tokio::test]
async fn what_may_be_done_twice_is_when_the_connection_breaks() {
    let path = Path::from("x");
    let settings = || S3Settings { read_twice: Some(false), ..S3Settings::default() };
    let breaks_first = |body: &'static str| {
        Server::start(move |number| if number == 0 { (HANGS_UP, vec![]) } else { (200, body.as_bytes().to_vec()) })
    };
    let server = breaks_first("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
    assert_eq!(server.store(settings()).list(None).try_collect::<Vec<_>>().await.unwrap(), []);
    let server = breaks_first("<DeleteResult><Deleted><Key>x</Key></Deleted></DeleteResult>");
    server.store(settings()).delete(&path).await.unwrap();
    assert_eq!(server.requests(), 2);
    let server = breaks_first("");
    server.store(settings()).put(&path, "1".into()).await.unwrap();
    let server = breaks_first("");
    assert_eq!(server.store(settings()).head(&path).await.unwrap().location, path);
    let uploads = "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>";
    let server = breaks_first(uploads);
    server.store(settings()).put_multipart(&path).await.unwrap();
}

#[tokio::test]
async fn an_outage_during_an_upload_is_waited_for_once() {
    let uploads = "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>";
    let server = Server::start(move |number| if number == 0 { (200, uploads.into()) } else { (503, b"busy".to_vec()) });
    let settings = S3Settings { retry: Some(Duration::from_secs(1)), ..S3Settings::default() };
    let store = server.store(settings);
    let mut upload = store.put_multipart(&Path::from("x")).await.unwrap();
    upload.put_part("1".into()).await.unwrap_err();
    let patient = server.requests();
    assert!(patient > 2, "{patient} requests in the budget");
    upload.complete().await.unwrap_err(); // not asked for: a part is missing
    upload.abort().await.unwrap_err();
    assert_eq!(server.requests(), patient + 1);
}

#[tokio::test]
async fn an_upload_that_is_gone_is_not_waited_for() {
    let gone = b"<Error><Code>NoSuchUpload</Code></Error>".to_vec();
    let uploads = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>".to_vec();
    let server = Server::start(move |number| if number == 0 { (200, uploads.clone()) } else { (404, gone.clone()) });
    let mut upload = server.store(S3Settings::default()).put_multipart(&Path::from("x")).await.unwrap();
    upload.abort().await.unwrap_err();
    upload.put_part("1".into()).await.unwrap_err();
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn the_parts_of_an_upload_arrive_in_their_order() {
    let server = Server::start(|number| match number {
        0 => (200, b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>".to_vec()),
        1 => (HANGS_UP, vec![]),
        4 => (200, b"<CompleteMultipartUploadResult><ETag>\"v1\"</ETag></CompleteMultipartUploadResult>".to_vec()),
        _ => (200, vec![]),
    });
    let mut upload = server.store(S3Settings::default()).put_multipart(&Path::from("x")).await.unwrap();
    let (first, second) = (upload.put_part("1".into()), upload.put_part("2".into()));
    second.await.unwrap();
    first.await.unwrap();
    upload.complete().await.unwrap();
    let seen = server.seen.lock().unwrap();
    let numbers: Vec<&str> = seen.iter().filter_map(|head| head.split("partNumber=").nth(1)?.get(..1)).collect();
    assert_eq!(numbers, ["2", "2", "1"], "the one whose connection broke is sent again");
}

#[tokio::test]
async fn a_refusal_is_not_tried_again_and_shows_no_key() {
    let body = b"<Error><Code>AccessDenied</Code><Message>not AKIAUNITTEST</Message></Error>".to_vec();
    let server = Server::start(move |_| (403, body.clone()));
    let error = read(&server.store(S3Settings { read_twice: Some(false), ..S3Settings::default() })).await.unwrap_err();
    assert_eq!((error.kind(), server.requests()), (Kind::Denied, 1));
    assert!(error.detail.contains("AccessDenied: not ***"), "{error}");
}

#[tokio::test]
async fn a_list_is_read_twice_too() {
    let list = |key: &str| {
        format!(
            "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>{key}</Key><Size>1</Size>\
             <LastModified>2011-12-10T00:00:00Z</LastModified><ETag>\"v1\"</ETag></Contents></ListBucketResult>"
        )
    };
    let server =
        Server::start(move |number| (200, list(if number == 0 { "a.parqueu" } else { "a.parquet" }).into_bytes()));
    let store = server.store(S3Settings::default());
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|meta| meta.location.as_ref()).collect::<Vec<_>>(), ["a.parquet"]);
    assert_eq!(server.requests(), 3);
}
