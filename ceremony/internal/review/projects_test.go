package review_test

import (
	"slices"
	"strings"
	"testing"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/review"
	"tufceremony/ceremony/internal/tufmeta"
)

// promotion goes on from two projects: one stays, one goes, and two are new.
func promotion(t *testing.T) *ceremonytest.Ceremony {
	t.Helper()
	c := ceremonytest.Promotion(t, ceremonytest.TrustedPromotion(t, "requests", "numpy"), 3, []string{"numpy"}, "scrapy", "attrs")
	c.Draft()
	return c
}

func TestPromotionReviewed(t *testing.T) {
	report, err := review.Review(promotion(t).Files)
	if err != nil {
		t.Fatal(err)
	}
	if err := check.Refuse(report.Results); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range report.Documents[0].Changes {
		lines = append(lines, strings.Join(strings.Fields(c.Mark+" "+c.What+" "+c.Old+" "+c.New), " "))
	}
	for _, want := range []string{
		"+ list lists/claimed.projects.jsonl 2 projects with 2 keys, proofs end on 2027-12-31, sha256 ", "+ paths packages/{project}/* 2, the first of scrapy", "= delegations unchanged 2 2", "+ delegations new 2",
		"+ delegation project.attrs 1 of 1 keys; packages/attrs/*; terminating", "- delegation project.numpy 1 of 1 keys; packages/numpy/*; terminating",
	} {
		if !slices.ContainsFunc(lines, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("nobody shows %q:\n%s", want, strings.Join(lines, "\n"))
		}
	}
}

// What neither the trusted version nor the list says is not signed.
func TestProjectsAsPlanned(t *testing.T) {
	delegations := func(s map[string]any) map[string]any { return s["delegations"].(map[string]any) }
	roles := func(s map[string]any) []any { return delegations(s)["roles"].([]any) }
	keys := func(s map[string]any) map[string]any { return delegations(s)["keys"].(map[string]any) }
	// in order: old, project.requests, project.attrs, project.scrapy
	role := func(s map[string]any, i int) map[string]any { return roles(s)[i].(map[string]any) }
	other, err := ceremonytest.Example.Claim("other", "other")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := other.Keys[0].Public()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, want string
		change     func(s map[string]any)
	}{
		{"another order", `number 3 is "project.scrapy", and trusted version and plan make "project.attrs" of 4`, func(s map[string]any) { r := roles(s); r[2], r[3] = r[3], r[2] }},
		{"a role more", `of its 5 delegations, number 5 is "project.scrapy", and trusted version and plan make "none" of 4`, func(s map[string]any) { delegations(s)["roles"] = append(roles(s), role(s, 3)) }},
		{"a role before the others", `number 1 is "project.evil"`, func(s map[string]any) {
			evil := map[string]any{"name": "project.evil", "keyids": role(s, 3)["keyids"], "threshold": int64(1), "paths": []any{"packages/*/*"}, "terminating": true}
			delegations(s)["roles"] = append([]any{evil}, roles(s)...)
		}},
		{"one is missing", `of its 3 delegations, number 4 is "none"`, func(s map[string]any) { delegations(s)["roles"] = roles(s)[:3] }},
		{"one that is withdrawn stays", `number 3 is "project.numpy"`, func(s map[string]any) { role(s, 2)["name"] = "project.numpy" }},
		{"another's key", `delegation "project.scrapy" has other keys than the list says`, func(s map[string]any) { role(s, 3)["keyids"] = role(s, 2)["keyids"] }},
		{"one key more", `delegation "project.scrapy" has other keys than the list says`, func(s map[string]any) {
			keys(s)[stranger.ID] = stranger.Object
			role(s, 3)["keyids"] = append(role(s, 3)["keyids"].([]any), stranger.ID)
		}},
		{"another path", `delegation "project.scrapy" has other paths than the list says`, func(s map[string]any) { role(s, 3)["paths"] = []any{"packages/*/*"} }},
		{"not terminating", `delegation "project.scrapy" has other paths than the list says`, func(s map[string]any) { role(s, 3)["terminating"] = false }},
		{"prefixes besides", `delegation "project.scrapy" has other paths than the list says`, func(s map[string]any) { role(s, 3)["path_hash_prefixes"] = []any{"00"} }},
		{"a member besides", `delegation "project.scrapy" has other members than the list says`, func(s map[string]any) { role(s, 3)["x-other"] = true }},
		{"another threshold", `delegation "project.scrapy" has other thresholds than the list says`, func(s map[string]any) { role(s, 3)["threshold"] = int64(2) }},
		{"one that stays has another key", `delegation "project.requests" is not as in the trusted version`, func(s map[string]any) { role(s, 1)["keyids"] = role(s, 3)["keyids"] }},
		{"one that stays has another path", `delegation "project.requests" is not as in the trusted version`, func(s map[string]any) { role(s, 1)["paths"] = []any{"packages/re*/*"} }},
		{"a role of people changes", `delegation "old" is not as in the trusted version`, func(s map[string]any) { role(s, 0)["threshold"] = int64(2) }},
		{"a key that nobody uses", "is one that no delegation uses", func(s map[string]any) { keys(s)[stranger.ID] = stranger.Object }},
		{"a key of another object", "is not written as a key of a list is", func(s map[string]any) {
			id := role(s, 3)["keyids"].([]any)[0].(string)
			object := map[string]any{"x-other": true}
			for name, v := range keys(s)[id].(map[string]any) {
				object[name] = v
			}
			key, _ := tufmeta.WithID(object)
			delete(keys(s), id)
			keys(s)[key.ID], role(s, 3)["keyids"] = object, []any{key.ID}
		}},
		{"a key that stays has another object", "is not as in the trusted version", func(s map[string]any) {
			keys(s)[role(s, 1)["keyids"].([]any)[0].(string)] = stranger.Object
		}},
		{"a field beside the roles", "its delegations differ from the trusted claimed in more than the plan says", func(s map[string]any) { delegations(s)["x-other"] = true }},
		{"bins beside the roles", "its delegations differ from the trusted claimed", func(s map[string]any) {
			delegations(s)["succinct_roles"] = map[string]any{"keyids": []any{}, "threshold": int64(1), "bit_length": int64(1), "name_prefix": "x"}
		}},
		{"none at all", "of its 0 delegations", func(s map[string]any) { delete(s, "delegations") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := promotion(t)
			const name = "payload/3.claimed.json"
			signed, err := tufmeta.ParseSigned(c.Files[name])
			if err != nil {
				t.Fatal(err)
			}
			row.change(signed)
			if c.Files[name], err = tufmeta.Encode(signed); err != nil {
				t.Fatal(err)
			}
			wantLine(t, said(t, c), row.want)
		})
	}
}

// Who has a developer's key signs for the project and for nothing else, whether
// the plan lists the other key or only what is trusted does.
func TestProjectKeyOfAnother(t *testing.T) {
	c := ceremonytest.Promotion(t, ceremonytest.TrustedPromotion(t, "requests"), 3, nil, "scrapy")
	p, err := plan.Parse(c.Files[folder.Plan])
	if err != nil {
		t.Fatal(err)
	}
	if err := p.LoadLists(c.Files); err != nil {
		t.Fatal(err)
	}
	section := p.Delegated[0]
	key, err := section.Claimed()[0].Keys[0].Public()
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]*tufmeta.Key{key.ID: key}
	signs := tufmeta.Role{KeyIDs: []string{key.ID}, Threshold: 1}
	root := func(roles map[string]*tufmeta.Role) *tufmeta.Root {
		r := &tufmeta.Root{Keys: keys, Roles: roles}
		r.Version = 7
		return r
	}
	by := func(role, delegated string) map[string]*tufmeta.Targets {
		return map[string]*tufmeta.Targets{role: {Delegations: ceremonytest.Delegations(t, []*tufmeta.Key{key}, tufmeta.Delegated{Role: signs, Name: delegated, Paths: []string{"elsewhere/*"}})}}
	}
	for name, row := range map[string]struct {
		trusted review.Trusted
		want    string
	}{
		"nobody's":                    {review.Trusted{}, ""},
		"a role of the root":          {review.Trusted{Root: root(map[string]*tufmeta.Role{"timestamp": &signs})}, "its key also signs as timestamp"},
		"a key of the root":           {review.Trusted{Root: root(nil)}, "its key also signs as a key of root 7"},
		"another role's delegation":   {review.Trusted{Targets: by("targets", "unclaimed")}, "its key also signs as unclaimed, to which targets delegates"},
		"another role's project":      {review.Trusted{Targets: by("targets", "project.numpy")}, "its key also signs as project.numpy, to which targets delegates"},
		"a role that is no project's": {review.Trusted{Targets: by("claimed", "old")}, "its key also signs as role old"},
		"another project's here":      {review.Trusted{Targets: by("claimed", "project.numpy")}, ""},
		"another repository's":        {review.Trusted{Externals: map[string][]*tufmeta.Root{"theirs": {root(map[string]*tufmeta.Role{"targets": &signs})}}}, "its key also signs as external theirs's targets"},
	} {
		t.Run(name, func(t *testing.T) {
			have := ""
			for _, x := range review.Projects(p, section, row.trusted).Results() {
				if x.Check == "PROJECT-KEY-ROLE" {
					have += x.Subject + ": " + x.Detail
				}
			}
			if row.want != "" {
				row.want = "scrapy: " + row.want
			}
			if have != row.want {
				t.Errorf("it says %q, want %q", have, row.want)
			}
		})
	}
}
