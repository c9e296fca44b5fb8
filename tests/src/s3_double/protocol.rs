//! What S3 is asked, as `s3s` has read it, done to the bucket, and what came of it, as `s3s` writes it.
//!
//! Knows nothing of connections and of faults.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use futures::TryStreamExt;
use s3s::{
    S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource,
        CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput,
        DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag, ETagCondition, GetObjectInput, GetObjectOutput,
        HeadObjectInput, HeadObjectOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsV2Input,
        ListObjectsV2Output, MultipartUpload, Object, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
        UploadPartInput, UploadPartOutput,
    },
};

use super::objects::{Bucket, Demand, Refused};

/// Entries of a page, whatever a client asks for: few, so that every longer listing has several.
const MOST_ENTRIES: usize = 40;

/// Keys of one bulk deletion.
const MOST_DELETIONS: usize = 1000;

/// The bucket, and its name.
#[derive(Debug, Clone)]
pub(crate) struct Protocol {
    pub(crate) name: &'static str,
    pub(crate) bucket: Arc<Mutex<Bucket>>,
}

impl Protocol {
    fn bucket(&self, name: &str) -> S3Result<MutexGuard<'_, Bucket>> {
        if name != self.name {
            return Err(S3Error::new(S3ErrorCode::NoSuchBucket));
        }
        Ok(self.bucket.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<Refused> for S3Error {
    fn from(refused: Refused) -> Self {
        Self::new(match refused {
            Refused::NoSuchKey => S3ErrorCode::NoSuchKey,
            Refused::NoSuchUpload => S3ErrorCode::NoSuchUpload,
            Refused::PreconditionFailed => S3ErrorCode::PreconditionFailed,
            Refused::InvalidPart => S3ErrorCode::InvalidPart,
            Refused::InvalidPartOrder => S3ErrorCode::InvalidPartOrder,
            Refused::EntityTooSmall => S3ErrorCode::EntityTooSmall,
        })
    }
}

/// When every object was written: nothing here asks for it.
fn modified() -> Timestamp {
    SystemTime::UNIX_EPOCH.into()
}

fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn strong(tag: String) -> ETag {
    ETag::Strong(tag)
}

async fn whole(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    let parts: Vec<Bytes> = body
        .try_collect()
        .await
        .map_err(|error| S3Error::with_message(S3ErrorCode::IncompleteBody, error.to_string()))?;
    Ok(parts.concat().into())
}

fn demand(if_none_match: Option<&ETagCondition>, if_match: Option<&ETagCondition>) -> S3Result<Demand> {
    match (if_none_match, if_match.and_then(ETagCondition::as_etag)) {
        (None, None) => Ok(Demand::Any),
        (None, Some(tag)) => Ok(Demand::Tag(tag.value().to_owned())),
        (Some(condition), None) if condition.is_any() => Ok(Demand::Absent),
        (Some(_), _) => Err(S3Error::new(S3ErrorCode::NotImplemented)),
    }
}

#[async_trait::async_trait]
impl S3 for Protocol {
    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let stored = self.bucket(&input.bucket)?.get(&input.key)?;
        let all = stored.bytes.len();
        let mut output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            e_tag: Some(strong(stored.tag)),
            last_modified: Some(modified()),
            ..GetObjectOutput::default()
        };
        let bytes = match input.range {
            None => stored.bytes,
            Some(range) => {
                let range = range.check(length(all).unsigned_abs())?;
                if range.is_empty() {
                    // Of an object without bytes; s3s lets its last ones pass.
                    return Err(S3ErrorCode::InvalidRange.into());
                }
                output.content_range = Some(format!("bytes {}-{}/{all}", range.start, range.end - 1));
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                stored.bytes.slice(place(range.start)..place(range.end))
            }
        };
        output.content_length = Some(length(bytes.len()));
        output.body = Some(StreamingBlob::wrap(futures::stream::iter([Ok::<_, std::io::Error>(bytes)])));
        Ok(S3Response::new(output))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let stored = self.bucket(&request.input.bucket)?.get(&request.input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(length(stored.bytes.len())),
            e_tag: Some(strong(stored.tag)),
            last_modified: Some(modified()),
            ..HeadObjectOutput::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let demand = demand(input.if_none_match.as_ref(), input.if_match.as_ref())?;
        let bytes = whole(input.body).await?;
        let tag = self.bucket(&input.bucket)?.put(&input.key, bytes, &demand)?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(strong(tag)), ..PutObjectOutput::default() }))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = request.input;
        let CopySource::Bucket { bucket: from, key, version_id: None } = input.copy_source else {
            return Err(S3Error::new(S3ErrorCode::NotImplemented));
        };
        let source = self.bucket(&from)?.get(&key)?;
        let tag = self.bucket(&input.bucket)?.put(&input.key, source.bytes, &Demand::Any)?;
        let result = CopyObjectResult {
            e_tag: Some(strong(tag)),
            last_modified: Some(modified()),
            ..CopyObjectResult::default()
        };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.bucket(&request.input.bucket)?.delete(&request.input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = request.input;
        if input.delete.objects.len() > MOST_DELETIONS {
            return Err(S3Error::new(S3ErrorCode::MalformedXML));
        }
        let mut bucket = self.bucket(&input.bucket)?;
        let deleted = input.delete.objects.into_iter().map(|object| {
            bucket.delete(&object.key);
            DeletedObject { key: Some(object.key), ..DeletedObject::default() }
        });
        let deleted = Some(deleted.collect());
        Ok(S3Response::new(DeleteObjectsOutput { deleted, ..DeleteObjectsOutput::default() }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let asked = input.max_keys.and_then(|most| usize::try_from(most).ok()).unwrap_or(MOST_ENTRIES);
        let after = input.continuation_token.clone().or(input.start_after).unwrap_or_default();
        let prefix = input.prefix.unwrap_or_default();
        let page =
            self.bucket(&input.bucket)?.list(&prefix, input.delimiter.as_deref(), &after, asked.min(MOST_ENTRIES));
        let objects = page.objects.into_iter().map(|(key, stored)| Object {
            key: Some(key),
            size: Some(length(stored.bytes.len())),
            e_tag: Some(strong(stored.tag)),
            last_modified: Some(modified()),
            ..Object::default()
        });
        let directories = page.directories.into_iter().map(|directory| CommonPrefix { prefix: Some(directory) });
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(prefix),
            delimiter: input.delimiter,
            continuation_token: input.continuation_token,
            contents: Some(objects.collect()),
            common_prefixes: Some(directories.collect()),
            is_truncated: Some(page.next_after.is_some()),
            next_continuation_token: page.next_after,
            ..ListObjectsV2Output::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let id = self.bucket(&input.bucket)?.begin(&input.key);
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let bytes = whole(input.body).await?;
        let tag = self.bucket(&input.bucket)?.put_part(&input.key, &input.upload_id, input.part_number, bytes)?;
        Ok(S3Response::new(UploadPartOutput { e_tag: Some(strong(tag)), ..UploadPartOutput::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let demand = demand(input.if_none_match.as_ref(), input.if_match.as_ref())?;
        let mut named = Vec::new();
        for part in input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default() {
            let (Some(number), Some(tag)) = (part.part_number, part.e_tag) else {
                return Err(S3Error::new(S3ErrorCode::MalformedXML));
            };
            named.push((number, tag.into_value()));
        }
        let tag = self.bucket(&input.bucket)?.complete(&input.key, &input.upload_id, &named, &demand)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(strong(tag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.bucket(&request.input.bucket)?.abort(&request.input.key, &request.input.upload_id)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let prefix = input.prefix.unwrap_or_default();
        let uploads = self.bucket(&input.bucket)?.uploads();
        let uploads = uploads.into_iter().filter(|(key, _)| key.starts_with(&prefix));
        let uploads = uploads.map(|(key, id)| MultipartUpload {
            key: Some(key),
            upload_id: Some(id),
            initiated: Some(modified()),
            ..MultipartUpload::default()
        });
        let uploads = uploads.collect();
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: Some(prefix),
            uploads: Some(uploads),
            is_truncated: Some(false),
            ..ListMultipartUploadsOutput::default()
        }))
    }
}
