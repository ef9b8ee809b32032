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

// typeByName is the media type that a file name's ending stands for, "" for one
// that nobody knows.
func typeByName(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return ""
	}
	switch ending := strings.ToLower(strings.TrimSpace(name[i+1:])); ending {
	case "pdf", "zip", "rtf", "json", "xml", "gzip":
		return "application/" + ending
	case "png", "gif", "jpeg", "bmp", "webp", "heic", "tiff", "avif":
		return "image/" + ending
	case "jpg", "jpe":
		return "image/jpeg"
	case "tif":
		return "image/tiff"
	case "svg":
		return "image/svg+xml"
	case "csv", "html", "css", "calendar":
		return "text/" + ending
	case "htm":
		return "text/html"
	case "txt", "text", "log":
		return "text/plain"
	case "md":
		return "text/markdown"
	case "ics":
		return "text/calendar"
	case "vcf":
		return "text/vcard"
	case "eml":
		return "message/rfc822"
	case "gz", "tgz":
		return "application/gzip"
	case "7z":
		return "application/x-7z-compressed"
	case "tar":
		return "application/x-tar"
	case "doc":
		return "application/msword"
	case "xls":
		return "application/vnd.ms-excel"
	case "ppt":
		return "application/vnd.ms-powerpoint"
	case "msg":
		return "application/vnd.ms-outlook"
	case "docx":
		return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	case "xlsx":
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case "pptx":
		return "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	case "odt":
		return "application/vnd.oasis.opendocument.text"
	case "ods":
		return "application/vnd.oasis.opendocument.spreadsheet"
	case "p7s":
		return "application/pkcs7-signature"
	case "p7m":
		return "application/pkcs7-mime"
	case "asc", "sig":
		return "application/pgp-signature"
	case "mp3":
		return "audio/mpeg"
	case "wav", "ogg":
		return "audio/" + ending
	case "mp4", "mpeg":
		return "video/" + ending
	case "mov":
		return "video/quicktime"
	}
	return ""
}
