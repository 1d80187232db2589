package inspect_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/inspect"
)

// at is the day on which published metadata is judged: after all of it was
// published, and before the expiry of the newest.
var at = time.Date(2025, 8, 1, 0, 0, 0, 0, time.UTC)

// The chain that sigstore has published: who signed how often, and which
// checks speak, at which version and at no other.
func TestSigstore(t *testing.T) {
	roots := chain(t, published(t))
	if !roots.Valid() {
		t.Fatalf("the chain is broken: %v", roots.Broken)
	}
	type counts struct {
		version   int64
		threshold int
		old, new  int // old is -1 where there is no root before
	}
	var have []counts
	for _, l := range roots.Links {
		c := counts{l.Root.Version, l.Root.Roles["root"].Threshold, -1, l.New.Valid()}
		if l.Old != nil {
			c.old = l.Old.Valid()
		}
		have = append(have, c)
	}
	// Counted anew with another canonicaliser and another ECDSA.
	want := []counts{{1, 3, -1, 5}, {2, 3, 5, 5}, {3, 3, 3, 3}, {4, 3, 4, 5}, {5, 3, 4, 4}, {6, 3, 5, 5},
		{7, 3, 4, 4}, {8, 3, 4, 4}, {9, 3, 5, 5}, {10, 3, 5, 5}, {11, 3, 5, 5}, {12, 3, 3, 3}}
	if !slices.Equal(have, want) {
		t.Errorf("counted\n%v, want\n%v", have, want)
	}
	for check, versions := range map[string][]int64{
		"KEYID-MISMATCH": {11}, "SIG-EMPTY": {12}, "EXPIRES-FORMAT": {1, 2, 3}, "ROLE-KEY-REUSE": {1},
		"SIG-INVALID": nil, "SIG-FOREIGN": nil, "SIG-DUPLICATE": nil, "JSON-STRICT": nil, "TEXT-UNSAFE": nil,
		"KEY-SHARED": nil, "KEY-PORTABLE": nil, "EXPIRES-FAR": nil, "THRESHOLD-ONE": nil, "THRESHOLD-OLD": nil, "THRESHOLD-NEW": nil,
		"EXPIRES-PAST": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
		"KEY-TYPE":     {1, 2, 3, 4, 5, 6, 7, 8},
	} {
		if have := speaks(roots, check); !slices.Equal(have, versions) {
			t.Errorf("%s speaks at versions %v, want %v", check, have, versions)
		}
	}
}

func TestSigstoreDetails(t *testing.T) {
	roots := chain(t, published(t))
	for _, want := range []struct {
		version                int64
		check, subject, detail string
	}{
		{11, "KEYID-MISMATCH", "7247f0dbad85b147e1863bade761243cc785dcb7aa410e7105dd3d2b61a36d2c", "0c87432c3bf09fd99189fdc32fa5eaedf4e4a5fac7bab73fa04a2e0fc64af6f5"},
		{12, "SIG-EMPTY", "6f260089d5923daf20166ca657c543af618346ab971884a99962b01988bbe0c3", ""},
		{12, "SIG-EMPTY", "22f4caec6d8e6f9555af66b3d4c3cb06a3bb23fdc7e39c916c61f462e6f52b06", ""},
		{1, "EXPIRES-FORMAT", "root", "2021-12-18T13:28:12.99008-06:00"},
		{1, "ROLE-KEY-REUSE", "snapshot", "5 of its keys also sign root"},
		{1, "ROLE-KEY-REUSE", "timestamp", "5 of its keys also sign root"},
	} {
		found := false
		for _, r := range roots.Links[want.version-1].Results {
			found = found || r.Check == want.check && r.Subject == want.subject && strings.Contains(r.Detail, want.detail)
		}
		if !found {
			t.Errorf("root %d: no %s about %s with %q", want.version, want.check, want.subject, want.detail)
		}
	}
}

// Files are named in any order, as a shell lists them.
func TestSigstoreAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	want := versions(chain(t, published(t)))
	for range 5 {
		files := published(t)
		random.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
		roots := chain(t, files)
		if !roots.Valid() || !slices.Equal(versions(roots), want) {
			t.Fatalf("versions %v, broken: %v", versions(roots), roots.Broken)
		}
	}
}

func TestSigstoreGap(t *testing.T) {
	files := published(t)
	for _, row := range []struct {
		without []int
		want    string
	}{
		{[]int{7}, "root 8 VERSION-SEQUENCE does not follow root 6: root 7 is missing"},
		{[]int{7, 8, 9}, "root 10 VERSION-SEQUENCE does not follow root 6: roots 7 to 9 are missing"},
	} {
		var given []inspect.File
		for i, f := range files {
			if !slices.Contains(row.without, i+1) {
				given = append(given, f)
			}
		}
		roots := chain(t, given)
		wantBroken(t, roots, row.want)
		for _, l := range roots.Links {
			if l.Root.Version == int64(row.without[len(row.without)-1])+1 && l.Old != nil {
				t.Errorf("root %d was counted under a root that is not the one before it", l.Root.Version)
			}
		}
	}
	wantBroken(t, chain(t, append(files, files[3])), "root 4 VERSION-SEQUENCE is given twice")
}

// The first and the last missing is a shorter chain, and a good one.
func TestSigstorePart(t *testing.T) {
	roots := chain(t, published(t)[2:9])
	if !roots.Valid() || roots.Links[0].Old != nil || len(speaks(roots, "SIG-FOREIGN")) > 0 {
		t.Errorf("roots 3 to 9 are a chain: %v, %v", roots.Broken, speaks(roots, "SIG-FOREIGN"))
	}
}

// The part-signed drafts of the v5 ceremony, under their own keys and under
// those of the root before.
func TestStaged(t *testing.T) {
	four := inspect.File{Name: "4.root.json", Data: ceremonytest.Read(t, "sigstore/root/4.root.json")}
	for name, valid := range map[string]int{"2022-10-18.0-of-3.root.json": 0, "2022-10-18.3-of-3.root.json": 3} {
		staged := inspect.File{Name: name, Data: ceremonytest.Read(t, "sigstore/staged/"+name)}
		roots := chain(t, []inspect.File{staged, four})
		last := roots.Last()
		if last.Old.Valid() != valid || last.New.Valid() != valid || last.Old.Threshold != 3 || last.New.Threshold != 3 {
			t.Errorf("%s: %d under root 4, %d under itself, want %d and %d", name, last.Old.Valid(), last.New.Valid(), valid, valid)
		}
		if roots.Valid() != (valid == 3) {
			t.Errorf("%s: valid is %t", name, roots.Valid())
		}
		if empty := count(last, "SIG-EMPTY"); empty != 10-2*valid {
			t.Errorf("%s: %d empty signatures reported", name, empty)
		}
	}
}

// The data that tough's authors made to be refused, or not.
func TestTough(t *testing.T) {
	for _, row := range []struct {
		folder     string
		valid, has int
		reached    bool
		findings   string
	}{
		{"duplicate-sigs", 1, 2, false, "EXPIRES-FAR SIG-DUPLICATE"},
		{"duplicate-sig-keys", 1, 2, false, "EXPIRES-FAR SIG-DUPLICATE"},
		{"expired-root-json-signature", 1, 1, true, "EXPIRES-PAST"},
		{"hex-encoded-ecdsa-sig-keys", 5, 5, true, "EXPIRES-FORMAT EXPIRES-PAST KEY-TYPE"},
	} {
		roots := chain(t, []inspect.File{{Name: row.folder, Data: ceremonytest.Read(t, "tough/"+row.folder+"/root.json")}})
		l := roots.Last()
		if l.New.Valid() != row.valid || len(l.New.Judged) != row.has || l.New.Reached() != row.reached || roots.Valid() != row.reached {
			t.Errorf("%s: %d of %d signatures count, reached: %t", row.folder, l.New.Valid(), len(l.New.Judged), l.New.Reached())
		}
		seen := map[string]bool{}
		for _, r := range l.Results {
			seen[r.Check] = true
		}
		for _, id := range []string{"THRESHOLD-ONE", "THRESHOLD-MARGIN", "THRESHOLD-NEW"} {
			delete(seen, id) // one key does all in these roots
		}
		delete(seen, "ROLE-KEY-REUSE")
		if have := strings.Join(slices.Sorted(maps.Keys(seen)), " "); have != row.findings {
			t.Errorf("%s: findings %s, want %s", row.folder, have, row.findings)
		}
	}
}

func published(t *testing.T) []inspect.File {
	t.Helper()
	var files []inspect.File
	for n := 1; n <= 12; n++ {
		name := fmt.Sprintf("sigstore/root/%d.root.json", n)
		files = append(files, inspect.File{Name: name, Data: ceremonytest.Read(t, name)})
	}
	return files
}

func chain(t *testing.T, files []inspect.File) *inspect.Roots {
	t.Helper()
	roots, err := inspect.Chain(files, at)
	if err != nil {
		t.Fatal(err)
	}
	return roots
}

func versions(roots *inspect.Roots) []int64 {
	var list []int64
	for _, l := range roots.Links {
		list = append(list, l.Root.Version)
	}
	return list
}

// speaks lists the versions at which a check speaks.
func speaks(roots *inspect.Roots, check string) []int64 {
	var list []int64
	for _, l := range roots.Links {
		if count(l, check) > 0 {
			list = append(list, l.Root.Version)
		}
	}
	return list
}

func count(l inspect.Link, check string) int {
	n := 0
	for _, r := range l.Results {
		if r.Check == check {
			n++
		}
	}
	return n
}

func wantBroken(t *testing.T, roots *inspect.Roots, want string) {
	t.Helper()
	for _, b := range roots.Broken {
		if b.Subject+" "+b.Check+" "+b.Detail == want {
			return
		}
	}
	t.Errorf("broken: %v, want %q", roots.Broken, want)
}
