// Package remedy is for errors that know what to do about them: on one line
// for a command that failed, in two columns for doctor.
package remedy

import "errors"

// Error is a cause and what its reader can do.
type Error struct{ Cause, Remedy string }

// New returns an error that reads "cause: remedy".
func New(cause, remedy string) error { return &Error{cause, remedy} }

func (e *Error) Error() string { return e.Cause + ": " + e.Remedy }

// Of splits an error; without a remedy of its own that is "".
func Of(err error) (cause, remedy string) {
	var e *Error
	if errors.As(err, &e) {
		return e.Cause, e.Remedy
	}
	return err.Error(), ""
}
