package stream_test

import (
	"math/rand/v2"
	"testing"

	"tufceremony/ceremony/internal/tufmeta"
)

// many is how often something random is tried: less where all of it is slow,
// since scripts/test runs these tests without the race detector as well.
func many(n int) int {
	if testing.Short() || raceDetector {
		return n / 20
	}
	return n
}

// document makes a random signed part: what matters to a canonical form, in
// the places that have entries and in those that have none.
func document(random *rand.Rand) map[string]any {
	signed := object(random, 4)
	if random.IntN(2) == 0 {
		signed["targets"] = object(random, 3)
	}
	if random.IntN(3) == 0 {
		signed["meta"] = object(random, 2)
	}
	if random.IntN(2) == 0 {
		delegations := object(random, 2)
		if random.IntN(2) == 0 {
			delegations["keys"] = object(random, 3)
		}
		if random.IntN(2) == 0 {
			delegations["roles"] = array(random, 3)
		}
		signed["delegations"] = delegations
	}
	return signed
}

func object(random *rand.Rand, depth int) map[string]any {
	object := map[string]any{}
	for range random.IntN(6) {
		object[text(random)] = value(random, depth-1)
	}
	return object
}

func array(random *rand.Rand, depth int) []any {
	array := []any{}
	for range random.IntN(4) {
		array = append(array, value(random, depth-1))
	}
	return array
}

func value(random *rand.Rand, depth int) any {
	switch kind := random.IntN(8); {
	case kind < 2 && depth > 0:
		return array(random, depth)
	case kind < 5 && depth > 0:
		return object(random, depth)
	case kind == 5:
		return random.Int64N(2*tufmeta.MaxInteger+1) - tufmeta.MaxInteger
	case kind == 6:
		return []any{nil, true, false, int64(0), int64(tufmeta.MaxInteger)}[random.IntN(5)]
	}
	return text(random)
}

func text(random *rand.Rand) string {
	alphabet := []rune("aAbBzZ09_-.\"\\/\x00\x01\n\r\t\x1f\x7f é\u07ff\u2028\ud7ff\ue000\uffff\U00010000\U0001F600\u202e")
	runes := make([]rune, random.IntN(5)+random.IntN(2)*random.IntN(20))
	for i := range runes {
		runes[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(runes)
}
