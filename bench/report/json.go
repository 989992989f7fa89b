package report

import (
	"encoding/json"
	"io"
)

// WriteJSON prints the report for programs, see [Report].
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
