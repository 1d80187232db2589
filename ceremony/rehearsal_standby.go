package main

// standbyPublished makes standby revocations while everybody is in the room,
// and has one published at night.
func standbyPublished() occasion {
	prepared := []func(*rehearsal) error{
		telling("AT THE CEREMONY, which is sealed, with everybody still in the room: for each root key the root that revokes it is drafted. One stick with all of them goes round."),
		typing("coordinator", "standby", "../genesis.bundle", "-o", "standby"),
	}
	at := "coordinator"
	for _, holder := range []string{"holder-1", "holder-2", "holder-3", "holder-4"} {
		prepared = append(prepared, handing("standby", at, holder), typing(holder, "sign", "standby", "--token", holder))
		at = holder
	}
	prepared = append(prepared, handing("standby", at, "coordinator"),
		typing("coordinator", "seal", "standby", "-o", "../sealed"),
		telling("Two people whom the publisher can reach at night keep a copy each, in an envelope."),
		later(0, 5, 0),
		telling("WHAT HAPPENED, five months later, at night: holder-3's device was stolen. One envelope is opened."))
	return occasion{
		name: "standby", purpose: "one key is stolen, and its revocation was signed beforehand",
		signers: []string{"holder-1", "holder-2", "holder-3"},
		happens: prepared,
		answer:  []func(*rehearsal) error{typing("publisher", "publish", "../sealed/revoke-holder-3.bundle", "../repository")},
		proof: []func(*rehearsal) error{
			telling("The others are dead: clients have a root 2."),
			func(r *rehearsal) error {
				return r.refused("publisher", "publish", "../sealed/revoke-holder-1.bundle", "../repository")
			},
			typing("stranger", "verify", "../sealed/revoke-holder-3.bundle", "--trusted-root", "../repository/root.json"),
		},
		end: "The rehearsal is over: root 2 is published without holder-3's key, after one command, and clients that began with root 1 follow it. The other envelopes are destroyed, and a rotation makes new ones.",
		look: []string{
			"CEREMONY status @coordinator/standby  # what each revokes, and who signed",
			"CEREMONY inspect @repository/metadata/1.root.json @repository/metadata/2.root.json",
		},
	}
}
