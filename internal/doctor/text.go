package doctor

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText prints the report for people.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "CHECK\tRESULT\tMEANS\tDO")
	for _, c := range r.Checks {
		do := c.Do
		if do == "" {
			do = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.Name, c.Result, c.Means, do)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if !r.Safe {
		_, err := fmt.Fprintln(w, "\nacceleration is not safe here")
		return err
	}
	command := "sockaccel enable"
	if len(r.AcceptRisk) > 0 {
		command += " --accept-risk " + strings.Join(r.AcceptRisk, ",")
	}
	_, err := fmt.Fprintf(w, "\nacceleration is safe here: %s\n", command)
	return err
}
