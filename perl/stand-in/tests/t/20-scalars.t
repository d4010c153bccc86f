# What becomes of a scalar, by the type that is asked for: it is the body of the scalar that
# counts, with its history, not the value alone. The table was measured with perlmod 0.14.0.

use v5.36;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Scalar::Util;
use Test::More;

use StandIn;

binmode(Test::More->builder->$_, ':utf8') for qw(output failure_output todo_output);

{
    package Overloaded;
    use overload
        '""' => sub { 'str' },
        '0+' => sub { 5 },
        '@{}' => sub { [1] },
        'bool' => sub { 1 };
}

sub dualvar { return Scalar::Util::dualvar($_[0], $_[1]) }

my $make;
binmode(DATA, ':utf8');
while (my $line = <DATA>) {
    chomp($line);
    if ($line =~ /^= (.*)/) {
        my $source = $1;
        $make = eval "no warnings; no utf8; sub { $source }" or die "$source: $@";
        note($source);
        next;
    }
    my ($type, $expected) = $line =~ /^(\w+): (.*)/ or die "bad line: $line\n";
    my $take = StandIn::In->can("take_$type");
    # A new value each time, because taking it may leave its traces.
    no warnings;
    my $got = eval { &$take($make->()) } // "DIE $@";
    $got =~ s/\n/\\n/g;
    is($got, $expected, $type);
}

done_testing();

__DATA__
= undef
bool: false
u8: DIE error: invalid type: unit value, expected u8\n
i64: DIE error: invalid type: unit value, expected i64\n
u64: DIE error: invalid type: unit value, expected u64\n
f64: DIE error: invalid type: unit value, expected f64\n
char: DIE error: invalid type: unit value, expected a character\n
string: DIE error: invalid type: Option value, expected a string\n
bytes: DIE error: invalid type: unit value, expected a borrowed byte array\n
option: None
option_i64: None
option_bool: None
any: None
= 0
bool: false
u8: 0
i64: 0
u64: 0
f64: 0.0
char: '\0'
string: DIE error: invalid type: integer `0`, expected a string\n
bytes: DIE error: invalid type: integer `0`, expected a borrowed byte array\n
option: DIE error: invalid type: integer `0`, expected a string\n
option_i64: Some(0)
option_bool: Some(false)
any: Integer(0)
= 5
bool: true
u8: 5
i64: 5
u64: 5
f64: 5.0
char: '\u{5}'
string: DIE error: invalid type: integer `5`, expected a string\n
bytes: DIE error: invalid type: integer `5`, expected a borrowed byte array\n
option: DIE error: invalid type: integer `5`, expected a string\n
option_i64: Some(5)
option_bool: Some(true)
any: Integer(5)
= -1
bool: true
u8: DIE error: invalid value: integer `-1`, expected u8\n
i64: -1
u64: DIE error: invalid value: integer `-1`, expected u64\n
f64: -1.0
char: 'ÿ'
string: DIE error: invalid type: integer `-1`, expected a string\n
bytes: DIE error: invalid type: integer `-1`, expected a borrowed byte array\n
option: DIE error: invalid type: integer `-1`, expected a string\n
option_i64: Some(-1)
option_bool: Some(true)
any: Integer(-1)
= 200
bool: true
u8: 200
i64: 200
u64: 200
f64: 200.0
char: 'È'
string: DIE error: invalid type: integer `200`, expected a string\n
bytes: DIE error: invalid type: integer `200`, expected a borrowed byte array\n
option: DIE error: invalid type: integer `200`, expected a string\n
option_i64: Some(200)
option_bool: Some(true)
any: Integer(200)
= 255
bool: true
u8: 255
i64: 255
u64: 255
f64: 255.0
char: 'ÿ'
string: DIE error: invalid type: integer `255`, expected a string\n
bytes: DIE error: invalid type: integer `255`, expected a borrowed byte array\n
option: DIE error: invalid type: integer `255`, expected a string\n
option_i64: Some(255)
option_bool: Some(true)
any: Integer(255)
= 256
bool: true
u8: DIE error: invalid value: integer `256`, expected u8\n
i64: 256
u64: 256
f64: 256.0
char: DIE error: invalid type: integer `256`, expected a character\n
string: DIE error: invalid type: integer `256`, expected a string\n
bytes: DIE error: invalid type: integer `256`, expected a borrowed byte array\n
option: DIE error: invalid type: integer `256`, expected a string\n
option_i64: Some(256)
option_bool: Some(true)
any: Integer(256)
= 9223372036854775807
bool: true
u8: DIE error: invalid value: integer `9223372036854775807`, expected u8\n
i64: 9223372036854775807
u64: 9223372036854775807
f64: 9.223372036854776e18
char: DIE error: invalid type: integer `9223372036854775807`, expected a character\n
string: DIE error: invalid type: integer `9223372036854775807`, expected a string\n
bytes: DIE error: invalid type: integer `9223372036854775807`, expected a borrowed byte array\n
option: DIE error: invalid type: integer `9223372036854775807`, expected a string\n
option_i64: Some(9223372036854775807)
option_bool: Some(true)
any: Integer(9223372036854775807)
= -9223372036854775807-1
bool: true
u8: DIE error: invalid value: integer `-9223372036854775808`, expected u8\n
i64: -9223372036854775808
u64: DIE error: invalid value: integer `-9223372036854775808`, expected u64\n
f64: -9.223372036854776e18
char: '\0'
string: DIE error: invalid type: integer `-9223372036854775808`, expected a string\n
bytes: DIE error: invalid type: integer `-9223372036854775808`, expected a borrowed byte array\n
option: DIE error: invalid type: integer `-9223372036854775808`, expected a string\n
option_i64: Some(-9223372036854775808)
option_bool: Some(true)
any: Integer(-9223372036854775808)
= 18446744073709551615
bool: true
u8: DIE error: invalid value: integer `-1`, expected u8\n
i64: -1
u64: DIE error: invalid value: integer `-1`, expected u64\n
f64: -1.0
char: 'ÿ'
string: DIE error: invalid type: integer `-1`, expected a string\n
bytes: DIE error: invalid type: integer `-1`, expected a borrowed byte array\n
option: DIE error: invalid type: integer `-1`, expected a string\n
option_i64: Some(-1)
option_bool: Some(true)
any: Integer(-1)
= 1.5
bool: true
u8: 1
i64: 1
u64: 1
f64: 1.5
char: '\u{1}'
string: DIE error: invalid type: floating point `1.5`, expected a string\n
bytes: DIE error: invalid type: floating point `1.5`, expected a borrowed byte array\n
option: DIE error: invalid type: floating point `1.5`, expected a string\n
option_i64: Some(1)
option_bool: Some(true)
any: Float(1.5)
= my $x=1.0;$x
bool: true
u8: 1
i64: 1
u64: 1
f64: 1.0
char: '\u{1}'
string: DIE error: invalid type: floating point `1.0`, expected a string\n
bytes: DIE error: invalid type: floating point `1.0`, expected a borrowed byte array\n
option: DIE error: invalid type: floating point `1.0`, expected a string\n
option_i64: Some(1)
option_bool: Some(true)
any: Float(1.0)
= 1e30
bool: true
u8: DIE error: invalid value: integer `-1`, expected u8\n
i64: -1
u64: DIE error: invalid value: integer `-1`, expected u64\n
f64: 1e30
char: 'ÿ'
string: DIE error: invalid type: floating point `1000000000000000000000000000000.0`, expected a string\n
bytes: DIE error: invalid type: floating point `1000000000000000000000000000000.0`, expected a borrowed byte array\n
option: DIE error: invalid type: floating point `1000000000000000000000000000000.0`, expected a string\n
option_i64: Some(-1)
option_bool: Some(true)
any: Float(1e30)
= -1e30
bool: true
u8: DIE error: invalid value: integer `-9223372036854775808`, expected u8\n
i64: -9223372036854775808
u64: DIE error: invalid value: integer `-9223372036854775808`, expected u64\n
f64: -1e30
char: '\0'
string: DIE error: invalid type: floating point `-1000000000000000000000000000000.0`, expected a string\n
bytes: DIE error: invalid type: floating point `-1000000000000000000000000000000.0`, expected a borrowed byte array\n
option: DIE error: invalid type: floating point `-1000000000000000000000000000000.0`, expected a string\n
option_i64: Some(-9223372036854775808)
option_bool: Some(true)
any: Float(-1e30)
= 9**9**9/9**9**9
bool: true
u8: 0
i64: 0
u64: 0
f64: NaN
char: '\0'
string: DIE error: invalid type: floating point `NaN`, expected a string\n
bytes: DIE error: invalid type: floating point `NaN`, expected a borrowed byte array\n
option: DIE error: invalid type: floating point `NaN`, expected a string\n
option_i64: Some(0)
option_bool: Some(true)
any: Float(NaN)
= 9**9**9
bool: true
u8: DIE error: invalid value: integer `-1`, expected u8\n
i64: -1
u64: DIE error: invalid value: integer `-1`, expected u64\n
f64: inf
char: 'ÿ'
string: DIE error: invalid type: floating point `inf`, expected a string\n
bytes: DIE error: invalid type: floating point `inf`, expected a borrowed byte array\n
option: DIE error: invalid type: floating point `inf`, expected a string\n
option_i64: Some(-1)
option_bool: Some(true)
any: Float(inf)
= 1e16
bool: true
u8: DIE error: invalid value: integer `10000000000000000`, expected u8\n
i64: 10000000000000000
u64: 10000000000000000
f64: 1e16
char: DIE error: invalid type: integer `10000000000000000`, expected a character\n
string: DIE error: invalid type: floating point `10000000000000000.0`, expected a string\n
bytes: DIE error: invalid type: floating point `10000000000000000.0`, expected a borrowed byte array\n
option: DIE error: invalid type: floating point `10000000000000000.0`, expected a string\n
option_i64: Some(10000000000000000)
option_bool: Some(true)
any: Float(1e16)
= "42"
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "42", expected u8\n
i64: DIE error: invalid type: string "42", expected i64\n
u64: DIE error: invalid type: string "42", expected u64\n
f64: DIE error: invalid type: string "42", expected f64\n
char: DIE error: invalid value: string "42", expected a character\n
string: "42"
bytes: [52, 50]
option: Some("42")
option_i64: DIE error: invalid type: string "42", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("42")
= "abc"
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "abc", expected u8\n
i64: DIE error: invalid type: string "abc", expected i64\n
u64: DIE error: invalid type: string "abc", expected u64\n
f64: DIE error: invalid type: string "abc", expected f64\n
char: DIE error: invalid value: string "abc", expected a character\n
string: "abc"
bytes: [97, 98, 99]
option: Some("abc")
option_i64: DIE error: invalid type: string "abc", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("abc")
= ""
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "", expected u8\n
i64: DIE error: invalid type: string "", expected i64\n
u64: DIE error: invalid type: string "", expected u64\n
f64: DIE error: invalid type: string "", expected f64\n
char: DIE error: invalid value: string "", expected a character\n
string: ""
bytes: []
option: Some("")
option_i64: DIE error: invalid type: string "", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("")
= "0"
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "0", expected u8\n
i64: DIE error: invalid type: string "0", expected i64\n
u64: DIE error: invalid type: string "0", expected u64\n
f64: DIE error: invalid type: string "0", expected f64\n
char: '0'
string: "0"
bytes: [48]
option: Some("0")
option_i64: DIE error: invalid type: string "0", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("0")
= "1"
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "1", expected u8\n
i64: DIE error: invalid type: string "1", expected i64\n
u64: DIE error: invalid type: string "1", expected u64\n
f64: DIE error: invalid type: string "1", expected f64\n
char: '1'
string: "1"
bytes: [49]
option: Some("1")
option_i64: DIE error: invalid type: string "1", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("1")
= "x"
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "x", expected u8\n
i64: DIE error: invalid type: string "x", expected i64\n
u64: DIE error: invalid type: string "x", expected u64\n
f64: DIE error: invalid type: string "x", expected f64\n
char: 'x'
string: "x"
bytes: [120]
option: Some("x")
option_i64: DIE error: invalid type: string "x", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("x")
= "a\0b"
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "a\0b", expected u8\n
i64: DIE error: invalid type: string "a\0b", expected i64\n
u64: DIE error: invalid type: string "a\0b", expected u64\n
f64: DIE error: invalid type: string "a\0b", expected f64\n
char: DIE error: invalid value: string "a\0b", expected a character\n
string: "a\0b"
bytes: [97, 0, 98]
option: Some("a\0b")
option_i64: DIE error: invalid type: string "a\0b", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("a\0b")
= "\xfc"
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "ü", expected u8\n
i64: DIE error: invalid type: string "ü", expected i64\n
u64: DIE error: invalid type: string "ü", expected u64\n
f64: DIE error: invalid type: string "ü", expected f64\n
char: 'ü'
string: "ü"
bytes: [252]
option: Some("ü")
option_i64: DIE error: invalid type: string "ü", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("ü")
= my $x="\xfc"; utf8::upgrade($x); $x
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "ü", expected u8\n
i64: DIE error: invalid type: string "ü", expected i64\n
u64: DIE error: invalid type: string "ü", expected u64\n
f64: DIE error: invalid type: string "ü", expected f64\n
char: 'ü'
string: "ü"
bytes: [195, 188]
option: Some("ü")
option_i64: DIE error: invalid type: string "ü", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("ü")
= my $x="abc"; utf8::upgrade($x); $x
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "abc", expected u8\n
i64: DIE error: invalid type: string "abc", expected i64\n
u64: DIE error: invalid type: string "abc", expected u64\n
f64: DIE error: invalid type: string "abc", expected f64\n
char: DIE error: invalid value: string "abc", expected a character\n
string: "abc"
bytes: [97, 98, 99]
option: Some("abc")
option_i64: DIE error: invalid type: string "abc", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("abc")
= my $x="42"; my $y=$x+0; $x
bool: true
u8: 42
i64: 42
u64: 42
f64: 42.0
char: '*'
string: "42"
bytes: [52, 50]
option: Some("42")
option_i64: Some(42)
option_bool: Some(true)
any: Borrowed("42")
= my $x="abc"; my $y=$x+0; $x
bool: true
u8: 0
i64: 0
u64: 0
f64: 0.0
char: '\0'
string: "abc"
bytes: [97, 98, 99]
option: Some("abc")
option_i64: Some(0)
option_bool: Some(true)
any: Borrowed("abc")
= my $x="1.5";my $y=$x+0;$x
bool: true
u8: 1
i64: 1
u64: 1
f64: 1.5
char: '\u{1}'
string: "1.5"
bytes: [49, 46, 53]
option: Some("1.5")
option_i64: Some(1)
option_bool: Some(true)
any: Borrowed("1.5")
= my $x="42abc";my $y=$x+0;$x
bool: true
u8: 42
i64: 42
u64: 42
f64: 42.0
char: '*'
string: "42abc"
bytes: [52, 50, 97, 98, 99]
option: Some("42abc")
option_i64: Some(42)
option_bool: Some(true)
any: Borrowed("42abc")
= my $x="18446744073709551615";my $y=$x+0;$x
bool: true
u8: DIE error: invalid value: integer `-1`, expected u8\n
i64: -1
u64: DIE error: invalid value: integer `-1`, expected u64\n
f64: -1.0
char: 'ÿ'
string: "18446744073709551615"
bytes: [49, 56, 52, 52, 54, 55, 52, 52, 48, 55, 51, 55, 48, 57, 53, 53, 49, 54, 49, 53]
option: Some("18446744073709551615")
option_i64: Some(-1)
option_bool: Some(true)
any: Borrowed("18446744073709551615")
= my $x="-9223372036854775808";my $y=$x+0;$x
bool: true
u8: DIE error: invalid value: integer `-9223372036854775808`, expected u8\n
i64: -9223372036854775808
u64: DIE error: invalid value: integer `-9223372036854775808`, expected u64\n
f64: -9.223372036854776e18
char: '\0'
string: "-9223372036854775808"
bytes: [45, 57, 50, 50, 51, 51, 55, 50, 48, 51, 54, 56, 53, 52, 55, 55, 53, 56, 48, 56]
option: Some("-9223372036854775808")
option_i64: Some(-9223372036854775808)
option_bool: Some(true)
any: Borrowed("-9223372036854775808")
= my $x="1e3";my $y=$x+0;$x
bool: true
u8: DIE error: invalid value: integer `1000`, expected u8\n
i64: 1000
u64: 1000
f64: 1000.0
char: DIE error: invalid type: integer `1000`, expected a character\n
string: "1e3"
bytes: [49, 101, 51]
option: Some("1e3")
option_i64: Some(1000)
option_bool: Some(true)
any: Borrowed("1e3")
= my $x=5; my $y="$x"; $x
bool: true
u8: 5
i64: 5
u64: 5
f64: 5.0
char: '\u{5}'
string: "5"
bytes: [53]
option: Some("5")
option_i64: Some(5)
option_bool: Some(true)
any: Borrowed("5")
= my $x=1.5; my $y="$x"; $x
bool: true
u8: 1
i64: 1
u64: 1
f64: 1.5
char: '\u{1}'
string: "1.5"
bytes: [49, 46, 53]
option: Some("1.5")
option_i64: Some(1)
option_bool: Some(true)
any: Borrowed("1.5")
= my $x=1.5;my $y=int($x); my $z=$x & 1; $x
bool: true
u8: 1
i64: 1
u64: 1
f64: 1.5
char: '\u{1}'
string: "1.5"
bytes: [49, 46, 53]
option: Some("1.5")
option_i64: Some(1)
option_bool: Some(true)
any: Borrowed("1.5")
= my $x="abc"; $x=5; $x
bool: true
u8: 5
i64: 5
u64: 5
f64: 5.0
char: '\u{5}'
string: "5"
bytes: [53]
option: Some("5")
option_i64: Some(5)
option_bool: Some(true)
any: Borrowed("5")
= my $x=5; $x="abc"; $x
bool: true
u8: 0
i64: 0
u64: 0
f64: 0.0
char: '\0'
string: "abc"
bytes: [97, 98, 99]
option: Some("abc")
option_i64: Some(0)
option_bool: Some(true)
any: Borrowed("abc")
= my $x="abc"; $x=2.5;$x
bool: true
u8: 2
i64: 2
u64: 2
f64: 2.5
char: '\u{2}'
string: "2.5"
bytes: [50, 46, 53]
option: Some("2.5")
option_i64: Some(2)
option_bool: Some(true)
any: Borrowed("2.5")
= my $x=2.5;$x="abc";$x
bool: true
u8: 0
i64: 0
u64: 0
f64: 0.0
char: '\0'
string: "abc"
bytes: [97, 98, 99]
option: Some("abc")
option_i64: Some(0)
option_bool: Some(true)
any: Borrowed("abc")
= my $x="abc";undef $x;$x
bool: false
u8: DIE error: invalid type: unit value, expected u8\n
i64: DIE error: invalid type: unit value, expected i64\n
u64: DIE error: invalid type: unit value, expected u64\n
f64: DIE error: invalid type: unit value, expected f64\n
char: DIE error: invalid type: unit value, expected a character\n
string: DIE error: invalid type: Option value, expected a string\n
bytes: DIE error: invalid type: unit value, expected a borrowed byte array\n
option: None
option_i64: None
option_bool: None
any: None
= my $x=[1];$x="abc";$x
bool: true
u8: 0
i64: 0
u64: 0
f64: 0.0
char: '\0'
string: "abc"
bytes: [97, 98, 99]
option: Some("abc")
option_i64: Some(0)
option_bool: Some(true)
any: Borrowed("abc")
= my $x=[1];$x=5;$x
bool: true
u8: 5
i64: 5
u64: 5
f64: 5.0
char: '\u{5}'
string: DIE error: invalid type: integer `5`, expected a string\n
bytes: DIE error: invalid type: integer `5`, expected a borrowed byte array\n
option: DIE error: invalid type: integer `5`, expected a string\n
option_i64: Some(5)
option_bool: Some(true)
any: Integer(5)
= !!1
bool: true
u8: 1
i64: 1
u64: 1
f64: 1.0
char: '\u{1}'
string: "1"
bytes: [49]
option: Some("1")
option_i64: Some(1)
option_bool: Some(true)
any: Borrowed("1")
= !!0
bool: false
u8: 0
i64: 0
u64: 0
f64: 0.0
char: '\0'
string: ""
bytes: []
option: Some("")
option_i64: Some(0)
option_bool: Some(false)
any: Borrowed("")
= dualvar(7,"seven")
bool: true
u8: 7
i64: 7
u64: 7
f64: 7.0
char: '\u{7}'
string: "seven"
bytes: [115, 101, 118, 101, 110]
option: Some("seven")
option_i64: Some(7)
option_bool: Some(true)
any: Borrowed("seven")
= dualvar(7.5,"seven")
bool: true
u8: 7
i64: 7
u64: 7
f64: 7.5
char: '\u{7}'
string: "seven"
bytes: [115, 101, 118, 101, 110]
option: Some("seven")
option_i64: Some(7)
option_bool: Some(true)
any: Borrowed("seven")
= v1.2.3
bool: true
u8: 0
i64: 0
u64: 0
f64: 0.0
char: '\0'
string: "\u{1}\u{2}\u{3}"
bytes: [1, 2, 3]
option: Some("\u{1}\u{2}\u{3}")
option_i64: Some(0)
option_bool: Some(true)
any: Borrowed("\u{1}\u{2}\u{3}")
= \"abc"
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "abc", expected u8\n
i64: DIE error: invalid type: string "abc", expected i64\n
u64: DIE error: invalid type: string "abc", expected u64\n
f64: DIE error: invalid type: string "abc", expected f64\n
char: DIE error: invalid value: string "abc", expected a character\n
string: "abc"
bytes: [97, 98, 99]
option: Some("abc")
option_i64: DIE error: invalid type: string "abc", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("abc")
= \\\5
bool: true
u8: 5
i64: 5
u64: 5
f64: 5.0
char: '\u{5}'
string: DIE error: invalid type: integer `5`, expected a string\n
bytes: DIE error: invalid type: integer `5`, expected a borrowed byte array\n
option: DIE error: invalid type: integer `5`, expected a string\n
option_i64: Some(5)
option_bool: Some(true)
any: Integer(5)
= \undef
bool: false
u8: DIE error: invalid type: unit value, expected u8\n
i64: DIE error: invalid type: unit value, expected i64\n
u64: DIE error: invalid type: unit value, expected u64\n
f64: DIE error: invalid type: unit value, expected f64\n
char: DIE error: invalid type: unit value, expected a character\n
string: DIE error: invalid type: Option value, expected a string\n
bytes: DIE error: invalid type: unit value, expected a borrowed byte array\n
option: None
option_i64: None
option_bool: None
any: None
= sub {1}
bool: false
u8: DIE error: invalid type: unit value, expected u8\n
i64: DIE error: invalid type: unit value, expected i64\n
u64: DIE error: invalid type: unit value, expected u64\n
f64: DIE error: invalid type: unit value, expected f64\n
char: DIE error: invalid type: unit value, expected a character\n
string: DIE error: invalid type: Option value, expected a string\n
bytes: DIE error: invalid type: unit value, expected a borrowed byte array\n
option: None
option_i64: None
option_bool: None
any: None
= \*STDOUT
bool: DIE error: cannot deserialize weird magic perl values (9)\n
u8: DIE error: cannot deserialize weird magic perl values (9)\n
i64: DIE error: cannot deserialize weird magic perl values (9)\n
u64: DIE error: cannot deserialize weird magic perl values (9)\n
f64: DIE error: cannot deserialize weird magic perl values (9)\n
char: DIE error: cannot deserialize weird magic perl values (9)\n
string: DIE error: cannot deserialize weird magic perl values (9)\n
bytes: DIE error: cannot deserialize weird magic perl values (9)\n
option: DIE error: cannot deserialize weird magic perl values (9)\n
option_i64: DIE error: cannot deserialize weird magic perl values (9)\n
option_bool: DIE error: cannot deserialize weird magic perl values (9)\n
any: DIE error: cannot deserialize weird magic perl values (9)\n
= qr/a/
bool: DIE error: cannot deserialize weird magic perl values (8)\n
u8: DIE error: cannot deserialize weird magic perl values (8)\n
i64: DIE error: cannot deserialize weird magic perl values (8)\n
u64: DIE error: cannot deserialize weird magic perl values (8)\n
f64: DIE error: cannot deserialize weird magic perl values (8)\n
char: DIE error: cannot deserialize weird magic perl values (8)\n
string: DIE error: cannot deserialize weird magic perl values (8)\n
bytes: DIE error: cannot deserialize weird magic perl values (8)\n
option: DIE error: cannot deserialize weird magic perl values (8)\n
option_i64: DIE error: cannot deserialize weird magic perl values (8)\n
option_bool: DIE error: cannot deserialize weird magic perl values (8)\n
any: DIE error: cannot deserialize weird magic perl values (8)\n
= bless \(my $x="abc"),'Foo'
bool: true
u8: 0
i64: 0
u64: 0
f64: 0.0
char: '\0'
string: "abc"
bytes: [97, 98, 99]
option: Some("abc")
option_i64: Some(0)
option_bool: Some(true)
any: Borrowed("abc")
= bless \(my $x=5),'Foo'
bool: true
u8: 5
i64: 5
u64: 5
f64: 5.0
char: '\u{5}'
string: "5"
bytes: [53]
option: Some("5")
option_i64: Some(5)
option_bool: Some(true)
any: Borrowed("5")
= bless \(my $x="in"),'Overloaded'
bool: true
u8: 0
i64: 0
u64: 0
f64: 0.0
char: '\0'
string: "in"
bytes: [105, 110]
option: Some("in")
option_i64: Some(0)
option_bool: Some(true)
any: Borrowed("in")
= [1,2]
bool: DIE error: invalid type: sequence, expected a boolean\n
u8: DIE error: invalid type: sequence, expected u8\n
i64: DIE error: invalid type: sequence, expected i64\n
u64: DIE error: invalid type: sequence, expected u64\n
f64: DIE error: invalid type: sequence, expected f64\n
char: DIE error: invalid type: sequence, expected a character\n
string: DIE error: invalid type: sequence, expected a string\n
bytes: DIE error: invalid type: sequence, expected a borrowed byte array\n
option: DIE error: invalid type: sequence, expected a string\n
option_i64: DIE error: invalid type: sequence, expected i64\n
option_bool: DIE error: invalid type: sequence, expected a boolean\n
any: List([Integer(1), Integer(2)])
= {a=>1}
bool: DIE error: invalid type: map, expected a boolean\n
u8: DIE error: invalid type: map, expected u8\n
i64: DIE error: invalid type: map, expected i64\n
u64: DIE error: invalid type: map, expected u64\n
f64: DIE error: invalid type: map, expected f64\n
char: DIE error: invalid type: map, expected a character\n
string: DIE error: invalid type: map, expected a string\n
bytes: DIE error: invalid type: map, expected a borrowed byte array\n
option: DIE error: invalid type: map, expected a string\n
option_i64: DIE error: invalid type: map, expected i64\n
option_bool: DIE error: invalid type: map, expected a boolean\n
any: Map([(Borrowed("a"), Integer(1))])
= chr(0x2603)
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "☃", expected u8\n
i64: DIE error: invalid type: string "☃", expected i64\n
u64: DIE error: invalid type: string "☃", expected u64\n
f64: DIE error: invalid type: string "☃", expected f64\n
char: '☃'
string: "☃"
option: Some("☃")
option_i64: DIE error: invalid type: string "☃", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("☃")
= "1234567890123456789012"
bool: DIE error: expected bool value\n
u8: DIE error: invalid type: string "1234567890123456789012", expected u8\n
i64: DIE error: invalid type: string "1234567890123456789012", expected i64\n
u64: DIE error: invalid type: string "1234567890123456789012", expected u64\n
f64: DIE error: invalid type: string "1234567890123456789012", expected f64\n
char: DIE error: invalid value: string "1234567890123456789012", expected a character\n
string: "1234567890123456789012"
bytes: [49, 50, 51, 52, 53, 54, 55, 56, 57, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 48, 49, 50]
option: Some("1234567890123456789012")
option_i64: DIE error: invalid type: string "1234567890123456789012", expected i64\n
option_bool: DIE error: expected bool value\n
any: Borrowed("1234567890123456789012")
= -0.0
bool: false
u8: 0
i64: 0
u64: 0
f64: -0.0
char: '\0'
string: DIE error: invalid type: floating point `-0.0`, expected a string\n
bytes: DIE error: invalid type: floating point `-0.0`, expected a borrowed byte array\n
option: DIE error: invalid type: floating point `-0.0`, expected a string\n
option_i64: Some(0)
option_bool: Some(false)
any: Float(-0.0)
