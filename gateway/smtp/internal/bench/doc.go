// Package bench sets the engine beside go-smtp, which the project itself does
// not use: hence a module of its own.
//
//	go test -bench . -benchtime 20x
package bench
