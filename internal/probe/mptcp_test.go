package probe

import (
	"net"
	"os"
	"testing"
)

// The probe would see a kernel that takes them: a plain listener in their place
// is taken.
func TestRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to create a network namespace")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		got, err := elsewhere(func() (bool, error) {
			if got, err := refused(); err == nil {
				t.Errorf("without any socket: %t, want an error", got)
			}
			var config net.ListenConfig
			config.SetMultipathTCP(false)
			listener, err := config.Listen(t.Context(), "tcp4", "0.0.0.0:0")
			if err != nil {
				return false, err
			}
			defer listener.Close()
			return refused()
		})
		if err != nil || got {
			t.Errorf("a plain listener: refused %t, %v", got, err)
		}
	}()
	<-done
	if got, err := tryMPTCP(); err != nil || !got {
		t.Errorf("MPTCP: refused %t, %v; every kernel of the matrix has the fix", got, err)
	}
}
