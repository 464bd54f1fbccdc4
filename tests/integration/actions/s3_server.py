"""A real S3-compatible server: moto's, in a process of its own, filled by Amazon's own client.

Once filled it can be told to check who asks: then it computes each signature again by Amazon's own code, and
holds the account to its policies.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

OBJECTS = {
    "data/a.txt": b"a",
    "data/zero": b"",
    "data/deep/two words+plus.bin": bytes(range(256)) * 2000,
    "data/ümlaut/😀 100%&=?#'\"<>;,:@$!*().txt": b"odd",
    "database/no": b"no",
    "single": b"one",
    "many/1": b"1",
    "many/2": b"2",
    "many/3": b"3",
    "many/4": b"4",
    "twice//named": b"odd",
}
PART = 5 * 1024 * 1024
MULTIPART = bytes(range(256)) * 24 * 1024
"""In two parts: its ETag is no MD5."""

_FILL = """
import base64, json, sys
import boto3, botocore.config
facts = json.load(sys.stdin)
style = botocore.config.Config(s3={"addressing_style": "path"})
def client(name):
    return boto3.client(name, endpoint_url=facts["endpoint"], region_name="us-east-1", config=style,
                        aws_access_key_id="any", aws_secret_access_key="any")
s3, iam = client("s3"), client("iam")
for bucket in ("bucket", "empty", "public"):
    s3.create_bucket(Bucket=bucket)
for key, content in facts["objects"].items():
    s3.put_object(Bucket="bucket", Key=key, Body=base64.b64decode(content))
s3.put_object(Bucket="public", Key="read/me", Body=b"all", ACL="public-read", ChecksumAlgorithm="SHA256")
body, size = base64.b64decode(facts["multipart"]), facts["part"]
upload = s3.create_multipart_upload(Bucket="bucket", Key="big/model.bin")["UploadId"]
parts = []
for number, begin in enumerate(range(0, len(body), size), start=1):
    answer = s3.upload_part(Bucket="bucket", Key="big/model.bin", UploadId=upload, PartNumber=number,
                            Body=body[begin:begin + size])
    parts.append({"PartNumber": number, "ETag": answer["ETag"]})
s3.complete_multipart_upload(Bucket="bucket", Key="big/model.bin", UploadId=upload,
                             MultipartUpload={"Parts": parts})
keys = {}
for user, action in (("reader", "s3:*"), ("getter", "s3:GetObject"), ("nobody", "sqs:*")):
    iam.create_user(UserName=user)
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=policy)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    keys[user] = [key["AccessKeyId"], key["SecretAccessKey"]]
json.dump(keys, sys.stdout)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running store: `reader` may do all, `getter` may not list, `nobody` may do nothing."""

    endpoint: str
    keys: dict[str, tuple[str, str]]

    def check_who_asks(self, *, on: bool) -> None:
        """Whether signatures and policies are checked from now on."""
        count = b"0" if on else b"1000000"
        request = urllib.request.Request(f"{self.endpoint}/moto-api/reset-auth", data=count)
        request.add_header("Content-Type", "text/plain")
        urllib.request.urlopen(request, timeout=30).close()


@contextmanager
def running_server() -> Iterator[Server]:
    """The store, filled; it gives three objects on a page."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    variables = {**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": "3"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=log)
        try:
            endpoint = _endpoint(log.fileno(), process)
            yield Server(endpoint=endpoint, keys=_fill(endpoint))
        finally:
            process.terminate()
            process.wait(timeout=30)


def _endpoint(log: int, process: subprocess.Popen[bytes]) -> str:
    """Where the server listens, as it says itself once it does."""
    deadline = time.monotonic() + 60
    while (said := re.search(rb"Running on (http://\S+:[1-9]\d*)\s", os.pread(log, 65536, 0))) is None:
        assert process.poll() is None, "the server ended at its start"
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.05)
    return said[1].decode()


def _fill(endpoint: str) -> dict[str, tuple[str, str]]:
    facts = {
        "endpoint": endpoint,
        "objects": {key: b64encode(content).decode() for key, content in OBJECTS.items()},
        "multipart": b64encode(MULTIPART).decode(),
        "part": PART,
    }
    command = [sys.executable, "-c", _FILL]
    done = subprocess.run(command, input=json.dumps(facts), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return {user: (pair[0], pair[1]) for user, pair in json.loads(done.stdout).items()}
