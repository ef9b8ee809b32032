package main

// configError says what is wrong with the environment: every variable at once.
type configError struct{ problems []string }

func (e *configError) Error() string {
	s := "the configuration is wrong:"
	for _, p := range e.problems {
		s += "\n  " + p
	}
	return s
}
