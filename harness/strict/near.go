package strict

import (
	"slices"
	"strings"
)

// Near gives up to three of the candidates that somebody who wrote word may have meant, the
// likeliest first: those that few changes of letters lead to, then those that contain it.
func Near(word string, candidates []string) []string {
	type ranked struct {
		name string
		rank int
	}
	var found []ranked
	for _, name := range candidates {
		limit := max(2, len(word)/3)
		if d := distance(word, name); d <= limit {
			found = append(found, ranked{name, d})
		} else if len(word) >= 3 && strings.Contains(name, strings.Trim(word, "*")) {
			found = append(found, ranked{name, limit + 1})
		}
	}
	slices.SortStableFunc(found, func(a, b ranked) int { return a.rank - b.rank })
	var names []string
	for _, f := range found[:min(3, len(found))] {
		names = append(names, f.name)
	}
	return names
}

// distance is the number of bytes to insert, delete or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// DidYouMean gives the end of a message that names near matches, shown as show says; "" for none.
func DidYouMean(show func(string) string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	shown := slices.Clone(names)
	for i := range shown {
		if show != nil {
			shown[i] = show(shown[i])
		}
	}
	return ": did you mean " + strings.Join(shown, " or ") + "?"
}
