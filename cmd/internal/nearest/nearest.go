// Package nearest finds what somebody who mistyped a word may have meant.
package nearest

import "fmt"

// Word is the known word with the fewest edits from the one that was written,
// and their number.
func Word(word string, known []string) (best string, least int) {
	least = 1 << 30
	for _, k := range known {
		if d := edits(word, k); d < least {
			best, least = k, d
		}
	}
	return best, least
}

// Meant asks back with the nearest known word, prefix before it, where one is so
// near that it may have been meant; else it is "".
func Meant(prefix, word string, known []string) string {
	best, n := Word(word, known)
	if n > 1+len(word)/4 {
		return ""
	}
	return fmt.Sprintf("; did you mean %s%s?", prefix, best)
}

// edits is how many letters must be added, removed, changed or swapped with
// their neighbour to make one word of the other.
func edits(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			substitute := last[j]
			if a[i] != b[j] {
				substitute++
			}
			row[j+1] = min(substitute, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
