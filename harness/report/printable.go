package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable escapes what must not reach a terminal or an XML file as it is: control characters
// other than tab and newline, bytes that are not UTF-8, and characters that do not show, such as
// those that change the direction of writing. Applied again it changes nothing.
func printable(s string) string {
	var b strings.Builder
	changed := false
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < 0x80 && r != '\t' && r != '\n' && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, s[i])
			changed = true
		case r != '\t' && r != '\n' && !unicode.IsPrint(r):
			if r <= 0xffff {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				fmt.Fprintf(&b, `\U%08x`, r)
			}
			changed = true
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	if !changed {
		return s
	}
	return b.String()
}

// oneLine gives s printable and in one line.
func oneLine(s string) string {
	return printable(strings.Join(strings.Fields(s), " "))
}
