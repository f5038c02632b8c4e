package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
)

// A Frame is one entry of a log. Meta and Items belong to whoever read the
// frame; they may share memory with each other.
type Frame struct {
	Seq   uint64    // its place in the log, from 1
	At    time.Time // when the server stored it, by the server's clock
	Meta  []byte    // nil when empty
	Items [][]byte
}

const (
	// MaxFrameSize is the most bytes of an encoded frame, and of what it holds
	// before compression: 8 MiB. A NATS cluster has to allow messages as long
	// (max_payload); where it allows less, its limit holds.
	MaxFrameSize = 8 << 20

	// MaxFrameItems is the most items of a frame.
	MaxFrameItems = 1 << 20
)

var (
	// ErrTooLarge is a frame or item that no log takes, now or later. It is not
	// an ErrNotDurable: to try again is of no use.
	ErrTooLarge = errors.New("journal: too large")

	// ErrCorrupt is a frame whose bytes are not as they were written.
	ErrCorrupt = errors.New("journal: corrupt frame")
)

// A frame on disk:
//
//	version 1 | flags 1 | CRC-32C of all the rest, little endian 4 | body
//
// and its body, compressed as one s2 block if the flag says so:
//
//	length of meta | meta | count of items | length of item | item | …
//
// with all lengths as uvarints.
const (
	frameVersion   = 1
	flagCompressed = 1 << 0
	headerSize     = 6

	// Below it a frame is stored as it is: nothing is gained.
	leastCompressed = 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// buffers hold the bodies of frames that are being encoded.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// AppendFrame encodes a frame behind dst and returns the whole. Its error is
// ErrTooLarge.
func AppendFrame(dst, meta []byte, items [][]byte) ([]byte, error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	list := (*buf)[:0]
	for _, it := range items {
		if len(list)+len(it) > MaxFrameSize {
			return dst, errFrameSize(len(list) + len(it))
		}
		list = appendItem(list, it)
	}
	*buf = list
	return appendFrame(dst, meta, len(items), list)
}

// appendItem writes one item as it stands in a frame's list.
func appendItem(list, item []byte) []byte {
	return append(binary.AppendUvarint(list, uint64(len(item))), item...)
}

// appendFrame is AppendFrame for a list of items that is encoded already.
func appendFrame(dst, meta []byte, count int, list []byte) ([]byte, error) {
	if count > MaxFrameItems {
		return dst, fmt.Errorf("%w: a frame of %d items, at most %d; split it", ErrTooLarge, count, MaxFrameItems)
	}
	size := headerSize + 2*binary.MaxVarintLen32 + len(meta) + len(list)
	if size > MaxFrameSize {
		return dst, errFrameSize(size)
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	body := append(binary.AppendUvarint((*buf)[:0], uint64(len(meta))), meta...)
	body = append(binary.AppendUvarint(body, uint64(count)), list...)
	*buf = body

	start := len(dst)
	dst = append(dst, frameVersion, 0, 0, 0, 0, 0)
	dst = appendBody(dst, start, body)
	binary.LittleEndian.PutUint32(dst[start+2:], checksum(dst[start:]))
	return dst, nil
}

func errFrameSize(size int) error {
	return fmt.Errorf("%w: a frame of %d bytes, at most %d; split it", ErrTooLarge, size, MaxFrameSize)
}

// appendBody writes body behind the header at start, compressed if that makes
// it shorter.
func appendBody(dst []byte, start int, body []byte) []byte {
	if len(body) < leastCompressed {
		return append(dst, body...)
	}
	dst = slices.Grow(dst, s2.MaxEncodedLen(len(body)))
	packed := s2.Encode(dst[len(dst):cap(dst)], body)
	if len(packed) >= len(body) {
		return append(dst, body...)
	}
	dst[start+1] |= flagCompressed
	return append(dst, packed...) // in place already, unless s2 took memory of its own
}

// DecodeFrame reads what AppendFrame wrote. Meta and items share memory with b
// where the frame is not compressed. Its error is ErrCorrupt, for any flipped
// bit as for any other bytes.
func DecodeFrame(b []byte) (meta []byte, items [][]byte, err error) {
	body, err := frameBody(b)
	if err != nil {
		return nil, nil, err
	}
	meta, body, ok := cutItem(body)
	if !ok {
		return nil, nil, fmt.Errorf("%w: the meta is cut", ErrCorrupt)
	}
	count, n := binary.Uvarint(body)
	// Each item has at least the byte of its length, so that a false count
	// cannot ask for more memory than the frame has brought.
	if n <= 0 || count > MaxFrameItems || count > uint64(len(body)-n) {
		return nil, nil, fmt.Errorf("%w: a false count of items", ErrCorrupt)
	}
	body = body[n:]
	items = make([][]byte, count)
	for i := range items {
		if items[i], body, ok = cutItem(body); !ok {
			return nil, nil, fmt.Errorf("%w: an item is cut", ErrCorrupt)
		}
	}
	if len(body) > 0 {
		return nil, nil, fmt.Errorf("%w: bytes behind the last item", ErrCorrupt)
	}
	if len(meta) == 0 {
		meta = nil
	}
	return meta, items, nil
}

// frameBody checks the header and gives the body, unpacked.
func frameBody(b []byte) ([]byte, error) {
	switch {
	case len(b) < headerSize:
		return nil, fmt.Errorf("%w: %d bytes are no frame", ErrCorrupt, len(b))
	case b[0] != frameVersion:
		return nil, fmt.Errorf("%w: version %d, this program reads %d", ErrCorrupt, b[0], frameVersion)
	case b[1]&^flagCompressed != 0:
		return nil, fmt.Errorf("%w: unknown flags %#x", ErrCorrupt, b[1])
	case binary.LittleEndian.Uint32(b[2:]) != checksum(b):
		return nil, fmt.Errorf("%w: the checksum does not match", ErrCorrupt)
	case b[1]&flagCompressed == 0:
		return b[headerSize:], nil
	}
	size, err := s2.DecodedLen(b[headerSize:])
	if err != nil || size > MaxFrameSize {
		return nil, fmt.Errorf("%w: a false length", ErrCorrupt)
	}
	body, err := s2.Decode(nil, b[headerSize:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return body, nil
}

// checksum covers all of an encoded frame but the checksum itself.
func checksum(frame []byte) uint32 {
	sum := crc32.Update(0, castagnoli, frame[:2])
	return crc32.Update(sum, castagnoli, frame[headerSize:])
}

// cutItem takes one length and its bytes off b.
func cutItem(b []byte) (item, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	end := n + int(size)
	return b[n:end:end], b[end:], true
}
