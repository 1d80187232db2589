package tufmeta

import "strconv"

// Nearly every delegation and key has the members that everybody knows, in canonical
// bytes that have been read before. Half a million of these are taken as they stand;
// a JSON tree is made only of one that is otherwise, and that says what is wrong.

// plainRole reads a delegated role as reader.delegated does, or says that it is not a
// plain one. Unless it is wanted whole, no texts are made of it: lists are empty.
func plainRole(raw []byte, d *Delegated, whole bool) bool {
	name, keyIDs, threshold, ok := false, false, false, false
	for member, v := range Members(raw) {
		switch string(member) {
		case "keyids":
			ok = plainTexts(v, whole, &d.KeyIDs)
			keyIDs = true
			if len(d.KeyIDs) == 0 {
				d.KeyIDs = nil
			}
		case "name":
			ok = v[0] == '"'
			if name = true; ok && whole {
				d.Name = string(textOf(v))
			}
		case "path_hash_prefixes":
			ok = plainTexts(v, whole, &d.Prefixes)
		case "paths":
			ok = plainTexts(v, whole, &d.Paths)
		case "terminating":
			d.Terminating = v[0] == 't'
			ok = v[0] == 't' || v[0] == 'f'
		case "threshold":
			n, err := strconv.ParseInt(string(v), 10, 32)
			d.Threshold = int(n)
			threshold, ok = true, err == nil
		default:
			return false
		}
		if !ok {
			return false
		}
	}
	return name && keyIDs && threshold
}

// textOf reads the canonical form of a string.
func textOf(v []byte) []byte { return Unescape(v[1 : len(v)-1]) }

// plainTexts reads an array of strings, or says that it is none.
func plainTexts(v []byte, whole bool, to *[]string) bool {
	if v[0] != '[' {
		return false
	}
	*to = []string{}
	for e := range elements(v) {
		if e[0] != '"' {
			return false
		}
		if whole {
			*to = append(*to, string(textOf(e)))
		}
	}
	return true
}

// plainKey reports whether reader.key has nothing to say of a key object, as far as is
// seen without making a tree of it.
func plainKey(raw []byte) bool {
	if raw[0] != '{' {
		return false
	}
	for member, v := range Members(raw) {
		switch string(member) {
		case "keytype", "scheme":
		case "keyval":
			if v[0] != '{' {
				continue
			}
			for inner := range Members(v) {
				if string(inner) != "public" {
					return false
				}
			}
		default:
			return false
		}
	}
	return true
}
