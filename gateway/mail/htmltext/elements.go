package htmltext

import "golang.org/x/net/html/atom"

// tag is an element's name; 0 is one that HTML doesn't know, textTag no element.
type tag = atom.Atom

const textTag tag = 0xffffffff

// class is what the tree and the outputs need to know of a kind of element.
type class uint16

const (
	void       class = 1 << iota // has no content
	special                      // ends the search for an end tag's element (HTML 13.2.4.2)
	formatting                   // is opened again where a block closed it
	closesP                      // its start ends an open paragraph
	block                        // begins and ends a line
	spaced                       // has a blank line around
	boundary                     // bounds the search for an open element
	unseen                       // its content is not shown
	inHead                       // doesn't end the head
	ofTable                      // what stands directly in a table belongs in its cells
)

// classes is written once, here.
var classes = map[tag]class{
	atom.Address: special | closesP | block, atom.Article: special | closesP | block, atom.Aside: special | closesP | block,
	atom.Blockquote: special | closesP | block | spaced, atom.Center: special | closesP | block, atom.Details: special | closesP | block,
	atom.Dialog: special | closesP | block, atom.Dir: special | closesP | block | spaced, atom.Div: special | closesP | block, atom.Dl: special | closesP | block | spaced,
	atom.Fieldset: special | closesP | block, atom.Figcaption: special | closesP | block, atom.Figure: special | closesP | block | spaced,
	atom.Footer: special | closesP | block, atom.Form: special | closesP | block, atom.Header: special | closesP | block, atom.Hgroup: special | closesP | block,
	atom.Main: special | closesP | block, atom.Menu: special | closesP | block | spaced, atom.Nav: special | closesP | block, atom.Ol: special | closesP | block | spaced,
	atom.P: special | closesP | block | spaced, atom.Section: special | closesP | block, atom.Summary: special | closesP | block, atom.Ul: special | closesP | block | spaced,
	atom.H1: special | closesP | block | spaced, atom.H2: special | closesP | block | spaced, atom.H3: special | closesP | block | spaced,
	atom.H4: special | closesP | block | spaced, atom.H5: special | closesP | block | spaced, atom.H6: special | closesP | block | spaced,
	atom.Pre: special | closesP | block | spaced, atom.Listing: special | closesP | block | spaced, atom.Xmp: special | closesP | block | spaced,
	atom.Plaintext: special | closesP | block, atom.Hr: void | special | closesP | block | spaced,
	atom.Li: special | block, atom.Dd: special | block, atom.Dt: special | block, atom.Legend: block, atom.Optgroup: block, atom.Option: block,
	atom.Table: special | boundary | ofTable | block | closesP, atom.Tbody: special | ofTable, atom.Thead: special | ofTable, atom.Tfoot: special | ofTable,
	atom.Tr: special | ofTable | block, atom.Td: special | boundary | block, atom.Th: special | boundary | block, atom.Caption: special | boundary | block,
	atom.Colgroup: special | unseen, atom.Col: void | special,
	atom.Html: special | boundary, atom.Body: special, atom.Head: special | unseen,
	atom.A: formatting, atom.B: formatting, atom.Big: formatting, atom.Code: formatting, atom.Em: formatting, atom.Font: formatting, atom.I: formatting,
	atom.Nobr: formatting, atom.S: formatting, atom.Small: formatting, atom.Strike: formatting, atom.Strong: formatting, atom.Tt: formatting, atom.U: formatting,
	atom.Applet: special | boundary, atom.Marquee: special | boundary | block, atom.Object: special | boundary, atom.Button: special | boundary,
	atom.Template: special | boundary | unseen | inHead, atom.Select: special,
	atom.Area: void | special, atom.Base: void | special | inHead, atom.Br: void | special, atom.Embed: void | special, atom.Img: void | special,
	atom.Image: void | special, atom.Input: void | special, atom.Keygen: void | special, atom.Link: void | special | inHead, atom.Meta: void | special | inHead,
	atom.Param: void | special, atom.Source: void | special, atom.Track: void | special, atom.Wbr: void | special,
	atom.Script: special | unseen | inHead, atom.Style: special | unseen | inHead, atom.Title: special | unseen | inHead, atom.Noscript: special,
	atom.Iframe: special | unseen, atom.Noembed: special | unseen, atom.Noframes: special | unseen | inHead, atom.Frameset: special | unseen,
	atom.Datalist: unseen, atom.Rp: unseen, atom.Audio: unseen, atom.Video: unseen, atom.Canvas: unseen, atom.Textarea: special,
	atom.Desc: unseen,
}

// attrKey is one of the attributes that matter.
type attrKey uint8

const (
	attrNone attrKey = iota
	attrStyle
	attrClass
	attrID
	attrHidden
	attrHref
	attrSrc
	attrAlt
	attrWidth
	attrHeight
	attrBgcolor
	attrBackground
	attrColor
	attrText
	attrStart
	attrValue
	attrType
	attrRole
	attrBorder
	attrOpen
	attrSelected
	attrMedia
	attrReversed
	attrName
	attrDir
	attrPopover
	attrAsked // the first of those that only style sheets ask for
)

// attrKeys are the names of the attributes that matter; others are 0.
var attrKeys = map[string]attrKey{
	"style": attrStyle, "class": attrClass, "id": attrID, "hidden": attrHidden, "href": attrHref, "src": attrSrc,
	"alt": attrAlt, "width": attrWidth, "height": attrHeight, "bgcolor": attrBgcolor, "background": attrBackground, "color": attrColor,
	"text": attrText, "start": attrStart, "value": attrValue, "type": attrType, "role": attrRole, "border": attrBorder,
	"open": attrOpen, "selected": attrSelected, "media": attrMedia, "reversed": attrReversed, "name": attrName,
	"dir": attrDir, "popover": attrPopover,
}
