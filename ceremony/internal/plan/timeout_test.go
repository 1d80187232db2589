package plan_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tufceremony/ceremony/internal/ceremonytest"
	"tufceremony/ceremony/internal/plan"
)

func TestModuleTimeout(t *testing.T) {
	p := ceremonytest.GenesisPlan()
	p.ModuleTimeout = 90 * time.Second
	roundTrip(t, p)
	good := string(p.Text())
	for _, value := range []string{"4", "601", "0", "-60", `""`, "", "90s", "1.5", `"90"`} {
		text := strings.Replace(good, "module-timeout: 90", "module-timeout: "+value, 1)
		for name, read := range map[string]func([]byte) error{
			"Parse":        func(b []byte) error { _, err := plan.Parse(b); return err },
			"ParseDevices": func(b []byte) error { _, err := plan.ParseDevices(b); return err },
		} {
			err := read([]byte(text))
			var fault *plan.Error
			if !errors.As(err, &fault) || fault.Field != "module-timeout" {
				t.Errorf("%s, %q: %v", name, value, err)
			}
		}
	}
	devices, err := plan.ParseDevices([]byte(good))
	if err != nil || devices.ModuleTimeout != p.ModuleTimeout {
		t.Errorf("%+v, %v", devices, err)
	}
}
