// Package bench_test runs the demonstration and measures the programs.
package bench_test

import (
	"testing"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
