package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// pep458AYearAgo is a genesis by that profile, whose one-time keys were destroyed,
// and a clock that shows the day of the renewal.
func pep458AYearAgo(r *rehearsal) error {
	online, err := r.onlineKey("online")
	if err != nil {
		return err
	}
	err = inTurn(
		func() error {
			return r.types("coordinator", "init", "genesis", "--kind", "genesis", "--profile", "pep458")
		},
		func() error { return r.send("genesis", "online.pem", online) },
		func() error { return r.issued(filepath.Join(r.dir, "coordinator", "genesis"), onceHolder) },
		func() error { return r.types("coordinator", "draft", "genesis") },
		func() error {
			return r.each("genesis", []string{"holder-1", "holder-2", "holder-3", "targets-1", "targets-2", "bins-1", "bins-2"}, true, "sign")
		},
		func() error {
			return r.types("coordinator", "merge", "genesis", "../holder-1/genesis", "../holder-2/genesis", "../holder-3/genesis")
		},
		func() error { return r.takeOver("genesis", "holder-1", "holder-2") },
		func() error {
			return r.each("genesis", []string{"targets-1", "targets-2", "bins-1", "bins-2"}, false, "token", "destroy")
		},
		func() error {
			return r.types("coordinator", "merge", "genesis", "../holder-1/genesis", "../holder-2/genesis", "../holder-3/genesis")
		},
		func() error { return r.types("coordinator", "seal", "genesis", "-o", "../genesis.bundle") },
		func() error {
			return r.types("publisher", "publish", "../genesis.bundle", "../repository", "--online-key", "online.pem", "--targets", "../files/first")
		})
	r.now = r.now.AddDate(0, 11, 0)
	return err
}

// onceHolder is who has a token: one-time keys with odd numbers are holder-1's,
// those with even ones holder-2's.
func onceHolder(token string) string {
	base, number, _ := strings.Cut(token, "-")
	n, err := strconv.Atoi(number)
	if base == "holder" || err != nil {
		return token
	}
	return "holder-" + strconv.Itoa(2-n%2)
}

// each has the holders of tokens type a command, with a copy of the folder, which
// they get first where that is asked.
func (r *rehearsal) each(event string, tokens []string, carry bool, command ...string) error {
	carried := map[string]bool{}
	for _, token := range tokens {
		who := onceHolder(token)
		if carry && !carried[who] {
			carried[who] = true
			if err := r.carry(event, who, event); err != nil {
				return err
			}
		}
		if err := r.types(who, append(append([]string{}, command...), event, "--token", token)...); err != nil {
			return err
		}
	}
	return nil
}

// takeOver has holders merge the coordinator's copy into theirs.
func (r *rehearsal) takeOver(event string, holders ...string) error {
	for _, who := range holders {
		if err := r.types(who, "merge", event, "../coordinator/"+event); err != nil {
			return err
		}
	}
	return nil
}

func (p *player) onceMade() error {
	dir := filepath.Join(p.dir, "coordinator", "renewal")
	if err := p.issued(dir, onceHolder); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, "plan.yaml"))
	p.plans = data
	return err
}

// oldKeysListed has somebody take out that last year's keys are gone.
func (p *player) oldKeysListed() error {
	path := filepath.Join(p.dir, "coordinator", "renewal", "plan.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := bytes.Replace(data, []byte("        lost: true  # cannot sign any more\n"), nil, 1)
	return os.WriteFile(path, text, 0o644)
}

// restore puts the plan back as it was decided.
func (p *player) restore(event string) error {
	return os.WriteFile(filepath.Join(p.dir, "coordinator", event, "plan.yaml"), p.plans, 0o644)
}

func (p *player) renewalCopied() error {
	for _, who := range []string{"holder-1", "holder-2", "holder-3"} {
		if err := p.carry("renewal", who, "renewal"); err != nil {
			return err
		}
	}
	return nil
}

func (p *player) othersSignRenewal() error {
	return p.each("renewal", []string{"holder-2", "targets-4", "bins-4", "holder-3"}, false, "sign")
}

// othersDestroy is holder-2 with two keys, unless both forgot it.
func (p *player) othersDestroy() error {
	if p.late {
		return nil
	}
	if err := p.takeOver("renewal", "holder-2"); err != nil {
		return err
	}
	return p.each("renewal", []string{"targets-4", "bins-4"}, false, "token", "destroy")
}
