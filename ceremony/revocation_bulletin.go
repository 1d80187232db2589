package main

import (
	"fmt"

	"tufceremony/ceremony/internal/plan"
	"tufceremony/ceremony/internal/tufmeta"
)

// bulletin is the page for users where the root is replaced out of band.
func bulletin(p *plan.Plan) string {
	name := p.Repository
	if name == "" {
		name = "REPOSITORY"
	}
	return fmt.Sprintf(bulletinText, tufmeta.Printable(name))
}

// bulletinText is filled in by people; what stands in brackets is theirs.
const bulletinText = `# %s: the trusted root is replaced

Published [DATE, TIME UTC] by [NAMES], who have each published it by a way of
their own: [WHERE].

## What happened

[WHEN] [WHICH KEYS] of the root of this repository [were stolen, were lost, cannot
be excluded to have been copied]. The old root cannot be trusted any more, and no
update of it can mend that: whoever has the keys can sign updates too.

Affected: everything that clients took from the repository after [WHEN].
Not affected: [WHAT].

## What you must do

1. Take nothing from the repository until you have done the rest.
2. Get the new root.json from [WHERE]. Print its SHA-256: sha256sum root.json
3. Compare it with the one below, from two places at least. All of it.
4. Put it where your client has the old root.json.
5. Remove the folder in which your client keeps metadata.
6. [WHAT TO DO ABOUT WHAT WAS INSTALLED IN THE MEANTIME]

## The new root

SHA-256 of root.json:

    [64 DIGITS, FROM ceremony inspect root.json]

The same in words, to be read aloud:

    [32 WORDS, FROM ceremony inspect root.json]

It expires on [DATE]. The next bulletin will be published [WHERE] on [DATE].
Questions: [WHOM TO ASK, BY A WAY THAT IS NOT THE REPOSITORY]
`
