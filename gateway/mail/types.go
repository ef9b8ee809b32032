package mail

import "strings"

// isType says whether s can be one half of a media type (RFC 6838 4.2).
func isType(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && (c < '0' || c > '9') && strings.IndexByte("!#$&-^_.+", c) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= 127
}

// isLetter says whether c is a letter of ASCII.
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// typeByName is the media type that a file name's ending stands for, "" for one
// that nobody knows.
func typeByName(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return ""
	}
	return typeOfEnding[strings.ToLower(strings.TrimSpace(name[i+1:]))]
}

// typeOfEnding are the media types of file name endings. It is never changed.
var typeOfEnding = map[string]string{
	"pdf":      "application/pdf",
	"zip":      "application/zip",
	"rtf":      "application/rtf",
	"json":     "application/json",
	"xml":      "application/xml",
	"gzip":     "application/gzip",
	"png":      "image/png",
	"gif":      "image/gif",
	"jpeg":     "image/jpeg",
	"bmp":      "image/bmp",
	"webp":     "image/webp",
	"heic":     "image/heic",
	"tiff":     "image/tiff",
	"avif":     "image/avif",
	"jpg":      "image/jpeg",
	"jpe":      "image/jpeg",
	"tif":      "image/tiff",
	"svg":      "image/svg+xml",
	"csv":      "text/csv",
	"html":     "text/html",
	"css":      "text/css",
	"calendar": "text/calendar",
	"htm":      "text/html",
	"txt":      "text/plain",
	"text":     "text/plain",
	"log":      "text/plain",
	"md":       "text/markdown",
	"ics":      "text/calendar",
	"vcf":      "text/vcard",
	"eml":      "message/rfc822",
	"gz":       "application/gzip",
	"tgz":      "application/gzip",
	"7z":       "application/x-7z-compressed",
	"tar":      "application/x-tar",
	"doc":      "application/msword",
	"xls":      "application/vnd.ms-excel",
	"ppt":      "application/vnd.ms-powerpoint",
	"msg":      "application/vnd.ms-outlook",
	"docx":     "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"xlsx":     "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"pptx":     "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"odt":      "application/vnd.oasis.opendocument.text",
	"ods":      "application/vnd.oasis.opendocument.spreadsheet",
	"p7s":      "application/pkcs7-signature",
	"p7m":      "application/pkcs7-mime",
	"asc":      "application/pgp-signature",
	"sig":      "application/pgp-signature",
	"mp3":      "audio/mpeg",
	"wav":      "audio/wav",
	"ogg":      "audio/ogg",
	"mp4":      "video/mp4",
	"mpeg":     "video/mpeg",
	"mov":      "video/quicktime",
}
