package queuetest

import "testing"

func model(*testing.T, Factory) {}
