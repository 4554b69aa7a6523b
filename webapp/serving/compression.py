"""Compressed answers: pages of hundreds of rows are a tenth as long on the way.

What a page says of the request beside a secret must not be compressed with it: somebody who can make a browser ask,
and sees how long the answers are, could guess the secret letter by letter (BREACH: Gluck, Harris, Prado, 2013). The
secret of our pages is the token of their forms. So only answers that say nothing of the request are compressed: those
to a GET whose address has no query. Event streams, exports and answers to forms are left as they are.
"""

from flask import Flask, Response, request
from flask_compress import Compress

_KINDS = ["text/html", "text/css", "text/javascript", "application/javascript", "application/json", "image/svg+xml"]
_WORTH_IT = 1_000
"""Bytes; fewer fit into a packet anyway."""


def init_compression(app: Flask) -> None:
    """Compress what browsers take compressed, as zstd, Brotli or gzip; a proxy in front leaves that alone."""
    app.config.update(COMPRESS_MIMETYPES=_KINDS, COMPRESS_MIN_SIZE=_WORTH_IT, COMPRESS_REGISTER=False)
    compress = Compress()
    compress.init_app(app)

    def shorten(response: Response) -> Response:
        if request.method != "GET" or request.query_string or response.mimetype not in _KINDS:
            return response
        if response.is_streamed:
            if request.endpoint != "static":
                return response
            response.direct_passthrough = False
            response.make_sequence()  # of a file; otherwise nobody would close it
        shortened: Response = compress.after_request(response)
        return shortened

    app.after_request(shorten)
