package server

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// errEncoding refuses a body in an encoding that is not known.
var errEncoding = errors.New("unknown content encoding")

// readBody reads and unpacks a request's body, at most limit bytes of it, so
// that a small body cannot become a large one.
func readBody(w http.ResponseWriter, r *http.Request, limit int) ([]byte, error) {
	packed := http.MaxBytesReader(w, r.Body, int64(limit))
	plain, err := unpack(packed, r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = plain.Close() }()
	b, err := io.ReadAll(io.LimitReader(plain, int64(limit)+1))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large) || errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, errTooLarge
	case err != nil:
		return nil, &badMessage{err}
	case len(b) > limit:
		return nil, errTooLarge
	}
	return b, nil
}

// maxWindow bounds what a zstd body may make the decoder hold.
const maxWindow = 8 << 20

func unpack(r io.Reader, encoding string) (io.ReadCloser, error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
		return io.NopCloser(r), nil
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, &badMessage{err}
		}
		return z, nil
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, &badMessage{err}
		}
		return z.IOReadCloser(), nil
	}
	return nil, errEncoding
}

// encoder compresses an answer, or does not.
type encoder interface {
	io.WriteCloser
	Flush() error
	release() // gives its memory back; it cannot be used afterwards
}

// encoderFor picks the best encoding that the request accepts.
func encoderFor(w http.ResponseWriter, r *http.Request) encoder {
	accepted := r.Header.Get("Accept-Encoding")
	w.Header().Add("Vary", "Accept-Encoding")
	switch {
	case accepts(accepted, "zstd"):
		w.Header().Set("Content-Encoding", "zstd")
		z := zstdWriters.Get().(*zstd.Encoder)
		z.Reset(w)
		return zstdEncoder{z}
	case accepts(accepted, "gzip"):
		w.Header().Set("Content-Encoding", "gzip")
		z := gzipWriters.Get().(*gzip.Writer)
		z.Reset(w)
		return gzipEncoder{z}
	}
	return plainEncoder{w}
}

// accepts looks for a coding that is not refused with q=0.
func accepts(header, coding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}

var zstdWriters = sync.Pool{New: func() any {
	// The options are constants that NewWriter takes.
	z, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	return z
}}

var gzipWriters = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return z
}}

type plainEncoder struct{ io.Writer }

func (plainEncoder) Flush() error { return nil }
func (plainEncoder) Close() error { return nil }
func (plainEncoder) release()     {}

type zstdEncoder struct{ *zstd.Encoder }

func (e zstdEncoder) release() {
	e.Reset(nil)
	zstdWriters.Put(e.Encoder)
}

type gzipEncoder struct{ *gzip.Writer }

func (e gzipEncoder) release() {
	e.Reset(nil)
	gzipWriters.Put(e.Writer)
}
