package main

import "os"

// Cases D and F: no next root restores trust. A new first root does, which
// reaches users in another way than through the repository.

func revocationD() occasion {
	o := occasion{
		name: "revocation-d", purpose: "a threshold of root is stolen",
		signers: []string{"holder-1", "holder-2", "holder-4"},
		happens: []func(*rehearsal) error{
			later(0, 2, 0),
			func(r *rehearsal) error {
				r.say("WHAT HAPPENED, two months later: somebody has the devices of holder-3, holder-4 and holder-5, with their PINs: as many as root needs. They have signed a root 2 of their own, with one key in all roles that they have alone, and everything below it.")
				return r.forgeRoot(r.stolenToken("holder-3"), r.stolenToken("holder-4"), r.stolenToken("holder-5"))
			},
			typing("stranger", "inspect", "../repository/metadata/1.root.json", "../repository/metadata/2.root.json"),
			telling("It is as good a root 2 as any that the holders could sign: clients follow it, and no other root 2 brings them back."),
		},
		answer: []func(*rehearsal) error{
			revoking("new-root", "--roster", "../genesis.bundle", "--compromised", "holder:holder-3", "--compromised", "holder:holder-4", "--compromised", "holder:holder-5"),
			renewing("new-root"),
		},
	}
	o = o.anew("online-new.pem")
	o.end = "The rehearsal is over: a new repository is published from a new root 1. Clients follow it that are given its root.json in another way and have removed the metadata that they kept; all others refuse it, and go on believing the thieves."
	return o
}

func revocationF() occasion {
	o := occasion{
		name: "revocation-f", purpose: "too few keys of root are left",
		signers: []string{"holder-1", "holder-2", "holder-4"},
		happens: []func(*rehearsal) error{
			later(0, 2, 0),
			telling("WHAT HAPPENED, two months later: a thief has the devices of holder-4 and holder-5. That is below the threshold. But holder-3's device broke last month, and nobody has replaced it: two are left, and three must sign."),
			func(r *rehearsal) error { return r.carry("genesis", "coordinator", "earlier") },
			telling("init takes people and devices from the last ceremony. The coordinator writes into a copy of its folder what has happened since."),
			planning("earlier", func(_ *rehearsal, text string) (string, error) { return markedLost(text, "holder-3") }),
		},
		answer: []func(*rehearsal) error{
			revoking("new-root", "--roster", "earlier", "--compromised", "holder:holder-4", "--compromised", "holder:holder-5"),
		},
	}
	o = o.anew("online.pem")
	o.end = "The rehearsal is over: a new repository is published from a new root 1. Clients that are given its root.json in another way, and have removed the metadata that they kept, follow its next roots; all others end with the old root 1, when it expires."
	return o
}

// anew completes an occasion with what both cases have in common.
func (o occasion) anew(online string) occasion {
	o.answer = append(o.answer,
		func(r *rehearsal) error { return r.issue("new-root", "holder-3-new", "holder-4-new") },
		telling("holder-3 and holder-4 have new devices, and have sent their public keys. The listed targets are compared with the state that is known to be good."),
		planning("new-root", (*rehearsal).anewPlan),
		holding("new-root", "holder-1", "holder-2", "holder-3-new"),
		telling("The old repository stays as it is, as evidence. The new one is at a new place, and empty."),
		func(r *rehearsal) error { return r.place("new-repository") },
		typing("publisher", "publish", "../new-root.bundle", "../new-repository", "--online-key", online, "--targets", "../files/first"),
		typing("coordinator", "inspect", "../new-repository/root.json"),
		telling("The coordinator fills in coordinator/new-root/BULLETIN.md with this SHA-256, in digits and in words. Each holder publishes it by a way of their own, so that users can compare:"),
		(*rehearsal).bulletin)
	o.proof = []func(*rehearsal) error{
		telling("A user has the new root.json, and has compared it with the bulletin. Under the old root 1 the new one is nothing:"),
		typing("stranger", "verify", "../new-root.bundle", "--trusted-root", "../new-repository/root.json"),
		func(r *rehearsal) error {
			return r.refused("stranger", "verify", "../new-root.bundle", "--trusted-root", "../repository/root.json")
		},
	}
	o.look = []string{
		"@coordinator/new-root/STEPS.md  # what init said",
		"@coordinator/new-root/BULLETIN.md  # what users are told",
		"CEREMONY inspect @new-repository/root.json  # the SHA-256 and its words",
		"CEREMONY verify @new-root.bundle --trusted-root @new-repository/root.json",
	}
	return o
}

// bulletin shows what is to be filled in.
func (r *rehearsal) bulletin() error {
	text, err := os.ReadFile("new-root/" + bulletinPage)
	if err == nil {
		r.show(string(text))
	}
	return err
}

// anewPlan lists the new devices, and decides the thresholds that are open.
func (r *rehearsal) anewPlan(text string) (string, error) {
	text, err := r.beside(text, "holder-3", "holder-3-new")
	if err != nil {
		return "", err
	}
	if text, err = r.beside(text, "holder-4", "holder-4-new"); err != nil {
		return "", err
	}
	if text, err = signedBy(text, "root", 3, "holder-1", "holder-2", "holder-3-new", "holder-4-new"); err != nil {
		return "", err
	}
	if text, err = signedBy(text, "targets", 2, "holder-1", "holder-2", "holder-3-new"); err != nil {
		return "", err
	}
	return waived(text, "root", "targets")
}
