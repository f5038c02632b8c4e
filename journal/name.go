package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

const (
	streamPrefix  = "signal-"
	subjectPrefix = "signal.log."

	// A folder name holds 255 bytes on every file system in use. A name whose
	// code is longer than longestCode is cut, and told apart by its hash.
	longestCode = 180
	cutCode     = 100
)

// streamName gives the name of the stream, and so of its folder, for a log. No
// two logs share one, on file systems that fold case neither.
func streamName(log string) string { return streamPrefix + encodeName(log) }

// subject gives the one subject of a log's stream.
func subject(log string) string { return subjectPrefix + encodeName(log) }

// encodeName writes any name with bytes that stream names, subjects and file
// names allow. After "~" comes a letter for a capital, three digits for any
// other byte, or a second "~" and a hash, so that the code can only be read in
// one way.
func encodeName(name string) string {
	code := make([]byte, 0, len(name)+16)
	for i := range len(name) {
		code = appendCode(code, name[i])
	}
	if len(code) <= longestCode {
		return string(code)
	}
	sum := sha256.Sum256([]byte(name))
	return string(code[:cutCode]) + "~~" + hex.EncodeToString(sum[:])
}

func appendCode(code []byte, c byte) []byte {
	switch {
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		return append(code, c)
	case c == '.':
		return append(code, '+')
	case c == '/':
		return append(code, '=')
	case c >= 'A' && c <= 'Z':
		return append(code, '~', c-'A'+'a')
	}
	return fmt.Appendf(code, "~%03d", c)
}
