package config

import "fmt"

// Error says what is wrong with the environment: every variable at once.
type Error struct{ problems []error }

// Refuse is the Error of one setting: what the file that it names holds can't be used.
func Refuse(variable string, err error) *Error {
	return &Error{[]error{fmt.Errorf("%s%s: %w", Prefix, variable, err)}}
}

func (e *Error) Error() string {
	s := "the configuration is wrong:"
	for _, p := range e.problems {
		s += "\n  " + p.Error()
	}
	return s
}

// variableError is one variable that can't be used.
type variableError struct {
	variable string
	value    string // as given, "" where it is a secret or not set
	why      string // and what would be valid
}

func (e *variableError) Error() string {
	if e.value == "" {
		return e.variable + " " + e.why
	}
	return fmt.Sprintf("%s=%q %s", e.variable, e.value, e.why)
}
