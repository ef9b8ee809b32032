package css

// The kinds of display: DisplayBlock begins a line, DisplayOther is anything that is
// seen and isn't named here.
const (
	DisplayUnset uint8 = iota
	DisplayNone
	DisplayInline
	DisplayBlock
	DisplayOther
)

// DisplayOf is the kind of a value of display.
func DisplayOf(v []byte) uint8 {
	switch {
	case Is(v, "none"):
		return DisplayNone
	case Is(v, "inline"):
		return DisplayInline
	case Is(v, "block") || Is(v, "flex") || Is(v, "grid") || Is(v, "list-item") || Is(v, "table") || Is(v, "table-row"):
		return DisplayBlock
	}
	return DisplayOther
}
