package drf

import (
	"bytes"
	"encoding/binary"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// charsets are the encodings by every name Python has for them, normalised.
// They are those of golang.org/x/text that Python knows too, beside Unicode's.
var charsets = sync.OnceValue(func() map[string]*charset {
	all := make(map[string]*charset, 320)
	for names, c := range map[string]*charset{
		"utf_8 cp65001 u8 utf utf8 utf8_ucs2 utf8_ucs4": utf8Text,
		"utf_8_sig": utf8Sig,
		"latin_1 8859 cp819 csisolatin1 ibm819 iso8859 iso8859_1 iso_8859_1 iso_8859_1_1987 iso_ir_100 l1 latin latin1":      latin1Text,
		"ascii 646 ansi_x3.4_1968 ansi_x3.4_1986 ansi_x3_4_1968 cp367 csascii ibm367 iso646_us iso_646.irv_1991 iso_ir_6 us": asciiText,
		"us_ascii":                        asciiText,
		"utf_16 u16 utf16":                wide{2, nil}.charset(),
		"utf_16_le unicodelittleunmarked": wide{2, binary.LittleEndian}.charset(),
		"utf_16le":                        wide{2, binary.LittleEndian}.charset(),
		"utf_16_be unicodebigunmarked":    wide{2, binary.BigEndian}.charset(),
		"utf_16be":                        wide{2, binary.BigEndian}.charset(),
		"utf_32 u32 utf32":                wide{4, nil}.charset(),
		"utf_32_le utf_32le":              wide{4, binary.LittleEndian}.charset(),
		"utf_32_be utf_32be":              wide{4, binary.BigEndian}.charset(),
	} {
		enter(all, names, c)
	}
	for names, table := range byteCharsets {
		enter(all, names, byteCharset(table))
	}
	for names, m := range multibyteCharsets {
		enter(all, names, m.charset())
	}
	return all
})

func enter(all map[string]*charset, names string, c *charset) {
	for name := range strings.SplitSeq(names, " ") {
		all[name] = c
	}
}

// byteCharsets are the encodings of one byte a character.
var byteCharsets = map[string]*charmap.Charmap{
	"cp037 037 csibm037 ebcdic_cp_ca ebcdic_cp_nl ebcdic_cp_us ebcdic_cp_wt ibm037 ibm039": charmap.CodePage037,
	"cp437 437 cspc8codepage437 ibm437":                                                    charmap.CodePage437,
	"cp850 850 cspc850multilingual ibm850":                                                 charmap.CodePage850,
	"cp852 852 cspcp852 ibm852":                                                            charmap.CodePage852,
	"cp855 855 csibm855 ibm855":                                                            charmap.CodePage855,
	"cp858 858 csibm858 ibm858":                                                            charmap.CodePage858,
	"cp860 860 csibm860 ibm860":                                                            charmap.CodePage860,
	"cp862 862 cspc862latinhebrew ibm862":                                                  charmap.CodePage862,
	"cp863 863 csibm863 ibm863":                                                            charmap.CodePage863,
	"cp865 865 csibm865 ibm865":                                                            charmap.CodePage865,
	"cp866 866 csibm866 ibm866":                                                            charmap.CodePage866,
	"cp1140 1140 ibm1140":                                                                  charmap.CodePage1140,
	"iso8859_2 csisolatin2 iso_8859_2 iso_8859_2_1987 iso_ir_101 l2 latin2":                charmap.ISO8859_2,
	"iso8859_3 csisolatin3 iso_8859_3 iso_8859_3_1988 iso_ir_109 l3 latin3":                charmap.ISO8859_3,
	"iso8859_4 csisolatin4 iso_8859_4 iso_8859_4_1988 iso_ir_110 l4 latin4":                charmap.ISO8859_4,
	"iso8859_5 csisolatincyrillic cyrillic iso_8859_5 iso_8859_5_1988 iso_ir_144":          charmap.ISO8859_5,
	"iso8859_6 arabic asmo_708 csisolatinarabic ecma_114 iso_8859_6 iso_8859_6_1987":       charmap.ISO8859_6,
	"iso_ir_127": charmap.ISO8859_6,
	"iso8859_7 csisolatingreek ecma_118 elot_928 greek greek8 iso_8859_7 iso_8859_7_1987": charmap.ISO8859_7,
	"iso_ir_126": charmap.ISO8859_7,
	"iso8859_8 csisolatinhebrew hebrew iso_8859_8 iso_8859_8_1988 iso_ir_138": charmap.ISO8859_8,
	"iso8859_9 csisolatin5 iso_8859_9 iso_8859_9_1989 iso_ir_148 l5 latin5":   charmap.ISO8859_9,
	"iso8859_10 csisolatin6 iso_8859_10 iso_8859_10_1992 iso_ir_157 l6":       charmap.ISO8859_10,
	"latin6":                                  charmap.ISO8859_10,
	"iso8859_13 iso_8859_13 l7 latin7":        charmap.ISO8859_13,
	"iso8859_14 iso_8859_14 iso_8859_14_1998": charmap.ISO8859_14,
	"iso_celtic iso_ir_199 l8 latin8":         charmap.ISO8859_14,
	"iso8859_15 iso_8859_15 l9 latin9":        charmap.ISO8859_15,
	"iso8859_16 iso_8859_16 iso_8859_16_2001": charmap.ISO8859_16,
	"iso_ir_226 l10 latin10":                  charmap.ISO8859_16,
	"koi8_r cskoi8r":                          charmap.KOI8R,
	"koi8_u":                                  charmap.KOI8U,
	"mac_roman macintosh macroman":            charmap.Macintosh,
	"mac_cyrillic maccyrillic":                charmap.MacintoshCyrillic,
	"cp874":                                   charmap.Windows874,
	"cp1250 1250 windows_1250":                charmap.Windows1250,
	"cp1251 1251 windows_1251":                charmap.Windows1251,
	"cp1252 1252 windows_1252":                charmap.Windows1252,
	"cp1253 1253 windows_1253":                charmap.Windows1253,
	"cp1254 1254 windows_1254":                charmap.Windows1254,
	"cp1255 1255 windows_1255":                charmap.Windows1255,
	"cp1256 1256 windows_1256":                charmap.Windows1256,
	"cp1257 1257 windows_1257":                charmap.Windows1257,
	"cp1258 1258 windows_1258":                charmap.Windows1258,
}

// byteCharset reads by a table of golang.org/x/text, with what Python's
// tables have otherwise.
func byteCharset(table *charmap.Charmap) *charset {
	var runes [256]rune
	for c := range runes {
		runes[c] = byteRune(table, byte(c))
	}
	return &charset{decode: func(b []byte) ([]byte, bool) {
		length := 0
		for _, c := range b {
			length += utf8.RuneLen(runes[c])
		}
		text := make([]byte, 0, length)
		valid := true
		for _, c := range b {
			valid = valid && runes[c] != utf8.RuneError
			text = utf8.AppendRune(text, runes[c])
		}
		return text, valid
	}}
}

func byteRune(table *charmap.Charmap, c byte) rune {
	switch {
	case table == charmap.KOI8U && c == 0xAE:
		return '╝'
	case table == charmap.KOI8U && c == 0xBE:
		return '╬'
	case table == charmap.Windows1255 && c == 0xCA:
		return utf8.RuneError
	}
	r := table.DecodeByte(c)
	if r == utf8.RuneError && 0x80 <= c && c <= 0x9F && isISO8859(table) {
		return rune(c)
	}
	return r
}

// isISO8859 reports whether a table is one of ISO 8859, which have the control
// characters of C1.
func isISO8859(table *charmap.Charmap) bool { return strings.HasPrefix(table.String(), "ISO 8859-") }

// multibyte is an encoding of several bytes a character. Where WHATWG's table,
// which golang.org/x/text has, knows more characters than Python's, they are
// read.
type multibyte struct {
	encoding.Encoding
	// python has pairs: a character of WHATWG's table, and Python's for the same bytes.
	python string
}

// japaneseSigns are read by WHATWG as their full-width forms.
const japaneseSigns = "～〜∥‖－−￠¢￡£￢¬"

// chineseSigns are those of Big5 that WHATWG reads by Microsoft's table.
const chineseSigns = "‧•﹑､¯‾" + "～∼⊕♁⊙☉∕／﹨＼￥¥￠¢￡£"

var multibyteCharsets = map[string]multibyte{
	"gbk 936 cp936 ms936":                          {simplifiedchinese.GBK, ""},
	"gb18030 gb18030_2000":                         {simplifiedchinese.GB18030, ""},
	"gb2312 chinese csiso58gb231280 euc_cn euccn":  {simplifiedchinese.GBK, "·・—―"},
	"eucgb2312_cn gb2312_1980 gb2312_80 iso_ir_58": {simplifiedchinese.GBK, "·・—―"},
	"x_mac_simp_chinese":                           {simplifiedchinese.GBK, "·・—―"},
	"hz hz_gb hz_gb_2312 hzgb":                     {simplifiedchinese.HZGB2312, "·・—―"},
	"big5 big5_tw csbig5 x_mac_trad_chinese":       {traditionalchinese.Big5, chineseSigns},
	"cp950 950 ms950":                              {traditionalchinese.Big5, ""},
	"big5hkscs big5_hkscs hkscs":                   {traditionalchinese.Big5, chineseSigns},
	"euc_jp eucjp u_jis ujis":                      {japanese.EUCJP, japaneseSigns},
	"shift_jis csshiftjis s_jis shiftjis sjis":     {japanese.ShiftJIS, japaneseSigns},
	"x_mac_japanese":                               {japanese.ShiftJIS, japaneseSigns},
	"cp932 932 ms932 ms_kanji mskanji":             {japanese.ShiftJIS, ""},
	"iso2022_jp csiso2022jp iso2022jp iso_2022_jp": {japanese.ISO2022JP, japaneseSigns},
	"euc_kr euckr korean ks_c_5601 ks_c_5601_1987": {korean.EUCKR, ""},
	"ks_x_1001 ksc5601 ksx1001 x_mac_korean":       {korean.EUCKR, ""},
	"cp949 949 ms949 uhc":                          {korean.EUCKR, ""},
}

func (m multibyte) charset() *charset {
	python := map[rune]rune{}
	for pair := []rune(m.python); len(pair) > 0; pair = pair[2:] {
		python[pair[0]] = pair[1]
	}
	return &charset{decode: func(b []byte) ([]byte, bool) {
		if isASCII(b) && !m.hasEscapes() {
			return b, true
		}
		text := make([]byte, 3*len(b)+utf8.UTFMax)
		n, _, err := m.NewDecoder().Transform(text, b, true)
		text = text[:n]
		if len(python) > 0 && bytes.ContainsAny(text, m.python) {
			text = bytes.Map(func(r rune) rune {
				if other, ok := python[r]; ok {
					return other
				}
				return r
			}, text)
		}
		return text, err == nil && !bytes.ContainsRune(text, utf8.RuneError)
	}}
}

// hasEscapes reports whether ASCII may stand for other characters.
func (m multibyte) hasEscapes() bool {
	return m.Encoding == japanese.ISO2022JP || m.Encoding == simplifiedchinese.HZGB2312
}
