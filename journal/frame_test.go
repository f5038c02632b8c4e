package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
)

func mustFrame(t testing.TB, meta []byte, items ...[]byte) []byte {
	t.Helper()
	b, err := AppendFrame(nil, meta, items)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sealed gives body the header that makes it a frame, whatever it holds.
func sealed(flags byte, body []byte) []byte {
	b := append([]byte{frameVersion, flags, 0, 0, 0, 0}, body...)
	binary.LittleEndian.PutUint32(b[2:], checksum(b))
	return b
}

func TestFrameDecodesAsItWasEncoded(t *testing.T) {
	text := []byte(strings.Repeat(`{"type":"track","event":"Order Completed"}`, 50))
	tests := []struct {
		name       string
		meta       []byte
		items      [][]byte
		compressed bool
	}{
		{"nothing at all", nil, nil, false},
		{"a meta alone", []byte(`{"upto":3}`), nil, false},
		{"empty items", nil, [][]byte{{}, {}, {}}, false},
		{"small items are stored as they are", nil, [][]byte{[]byte("a"), []byte("bc")}, false},
		{"text is compressed", []byte("m"), [][]byte{text, text}, true},
		{"noise is stored as it is", nil, [][]byte{noise(4000)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			head := []byte("before")
			b, err := AppendFrame(head, tt.meta, tt.items)
			if err != nil || !bytes.HasPrefix(b, head) {
				t.Fatalf("AppendFrame behind %q: %.20q, %v", head, b, err)
			}
			b = b[len(head):]
			if got := b[1]&flagCompressed != 0; got != tt.compressed {
				t.Errorf("compressed %v, want %v", got, tt.compressed)
			}
			meta, items, err := DecodeFrame(b)
			if err != nil || !bytes.Equal(meta, tt.meta) || !slices.EqualFunc(items, tt.items, bytes.Equal) {
				t.Errorf("got %q, %.50q, %v", meta, items, err)
			}
		})
	}
}

func TestAnyFlippedBitIsCorrupt(t *testing.T) {
	for _, frame := range [][]byte{
		mustFrame(t, []byte("meta"), []byte("one"), []byte("two")),
		mustFrame(t, nil, bytes.Repeat([]byte("text "), 100)),
	} {
		for i := range 8 * len(frame) {
			b := slices.Clone(frame)
			b[i/8] ^= 1 << (i % 8)
			if _, _, err := DecodeFrame(b); !errors.Is(err, ErrCorrupt) {
				t.Errorf("bit %d of %d flipped: %v", i, 8*len(frame), err)
			}
		}
		for n := range frame {
			if _, _, err := DecodeFrame(frame[:n]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("cut at %d of %d: %v", n, len(frame), err)
			}
		}
	}
}

// Frames with a right checksum and false lengths, as a hostile writer makes
// them, ask for little memory.
func TestFalseLengthsAreCorrupt(t *testing.T) {
	uv := func(n uint64) []byte { return binary.AppendUvarint(nil, n) }
	tests := []struct {
		name string
		b    []byte
	}{
		{"no body", sealed(0, nil)},
		{"a meta beyond the end", sealed(0, uv(1<<40))},
		{"a meta of the largest length", sealed(0, uv(math.MaxUint64))},
		{"no count", sealed(0, uv(0))},
		{"more items than bytes", sealed(0, append(uv(0), uv(1<<20)...))},
		{"the largest count", sealed(0, append(uv(0), uv(math.MaxUint64)...))},
		{"an item beyond the end", sealed(0, []byte{0, 1, 200})},
		{"bytes behind the items", sealed(0, []byte{0, 0, 0})},
		{"an endless length", sealed(0, bytes.Repeat([]byte{0xff}, 100))},
		{"a compressed body that says it is huge", sealed(flagCompressed, uv(1<<31))},
		{"a compressed body that says it is over the limit", sealed(flagCompressed, s2.Encode(nil, make([]byte, MaxFrameSize+1)))},
		{"a compressed body that is none", sealed(flagCompressed, append(uv(1<<20), noise(64)...))},
		{"flags of a later version", sealed(2, []byte{0, 0})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := DecodeFrame(tt.b)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("error %v, want ErrCorrupt", err)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 2<<20 {
				t.Errorf("%d bytes were allocated", got)
			}
		})
	}
}

func TestFrameOverTheLimitIsTooLarge(t *testing.T) {
	big := make([]byte, MaxFrameSize/2)
	tests := []struct {
		name  string
		meta  []byte
		items [][]byte
	}{
		{"one item", nil, [][]byte{make([]byte, MaxFrameSize)}},
		{"three items together", nil, [][]byte{big, big, big}},
		{"a meta", make([]byte, MaxFrameSize), nil},
		{"too many items", nil, make([][]byte, MaxFrameItems+1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := AppendFrame(nil, tt.meta, tt.items); !errors.Is(err, ErrTooLarge) {
				t.Errorf("error %v, want ErrTooLarge", err)
			}
		})
	}
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add(mustFrame(f, nil))
	f.Add(mustFrame(f, []byte("meta"), []byte("one"), nil, []byte("three")))
	f.Add(mustFrame(f, nil, bytes.Repeat([]byte("text "), 100)))
	f.Add(sealed(0, []byte{0, 1, 200}))
	f.Fuzz(func(t *testing.T, b []byte) {
		decodeTwice(t, b)
		// The checksum would keep the fuzzer out of all that is behind it.
		if len(b) >= headerSize {
			b = slices.Clone(b)
			binary.LittleEndian.PutUint32(b[2:], checksum(b))
			decodeTwice(t, b)
		}
	})
}

// decodeTwice expects what decodes to come back the same when it is encoded.
func decodeTwice(t *testing.T, b []byte) {
	meta, items, err := DecodeFrame(b)
	if err != nil {
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("error %v, want ErrCorrupt", err)
		}
		return
	}
	again, err := AppendFrame(nil, meta, items)
	if errors.Is(err, ErrTooLarge) {
		return
	}
	meta2, items2, err := DecodeFrame(again)
	if err != nil || !bytes.Equal(meta, meta2) || !slices.EqualFunc(items, items2, bytes.Equal) {
		t.Fatalf("%q, %q became %q, %q, %v", meta, items, meta2, items2, err)
	}
}
