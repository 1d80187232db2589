package main

import (
	"tufceremony/ceremony/internal/schedule"
	"tufceremony/ceremony/internal/tufmeta"
)

type scheduleMember struct {
	Key  string `json:"key"`
	Name string `json:"name,omitempty"`
	Lost bool   `json:"lost,omitempty"`
}

type scheduleDeadline struct {
	At      string           `json:"at"`
	What    string           `json:"what"`
	State   string           `json:"state"`
	Role    string           `json:"role"`
	Version int64            `json:"version"`
	Offline bool             `json:"offline"`
	Need    int              `json:"need,omitempty"`
	Who     []scheduleMember `json:"who,omitempty"`
	File    string           `json:"file,omitempty"`
}

type scheduleStanding struct {
	File    string   `json:"file"`
	Kind    string   `json:"kind"`
	Revokes []string `json:"revokes,omitempty"`
	Root    int64    `json:"root"`
	State   string   `json:"state"`
	Until   string   `json:"until"`
	Why     string   `json:"why"`
}

type scheduleIgnored struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

type scheduleReport struct {
	At         string             `json:"at"`
	Margin     int                `json:"margin"`
	Due        bool               `json:"due"`
	Root       int64              `json:"root"`
	Deadlines  []scheduleDeadline `json:"deadlines"`
	Bundles    []scheduleStanding `json:"bundles"`
	NotCounted []scheduleIgnored  `json:"not_counted"`
	PassedOver []scheduleIgnored  `json:"passed_over"`
	Warnings   []string           `json:"warnings"`
}

func scheduleJSON(s *schedule.Schedule, warnings []string) scheduleReport {
	out := scheduleReport{At: tufmeta.Stamp(s.At), Margin: s.Margin, Due: s.Due(), Root: s.Root, Deadlines: []scheduleDeadline{}, Bundles: []scheduleStanding{},
		NotCounted: ignoredJSON(s.Unsigned), PassedOver: ignoredJSON(s.Ignored), Warnings: warnings}
	for _, d := range s.Deadlines {
		x := scheduleDeadline{At: tufmeta.Stamp(d.At), What: d.What, State: d.State, Role: d.Role, Version: d.Version, Offline: d.Offline, Need: d.Need, File: d.File}
		for _, m := range d.Who {
			x.Who = append(x.Who, scheduleMember{m.Key, m.Name, m.Lost})
		}
		out.Deadlines = append(out.Deadlines, x)
	}
	for _, x := range s.Standings {
		until := ""
		if !x.Until.IsZero() {
			until = tufmeta.Stamp(x.Until)
		}
		out.Bundles = append(out.Bundles, scheduleStanding{x.File, x.Kind, x.Revokes, x.Root, x.State, until, x.Why})
	}
	return out
}

func ignoredJSON(list []schedule.Ignored) []scheduleIgnored {
	out := []scheduleIgnored{}
	for _, x := range list {
		out = append(out, scheduleIgnored(x))
	}
	return out
}
