# Structures as arguments: arrays, hashes, structs and enums. Expectations measured with
# perlmod 0.14.0.

use v5.36;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Hash::Util qw(lock_hash lock_keys);
use Test::More;

use StandIn;

binmode(Test::More->builder->$_, ':utf8') for qw(output failure_output todo_output);

# Either what the function makes of the value or the error. The value is not copied: the
# variable's body would keep the abilities of all values before.
sub takes {
    my ($type, undef, $expected, $name) = @_;
    my $take = StandIn::In->can("take_$type");
    my $got = eval { $take->($_[1]) } // "DIE $@";
    $got =~ s/\n\z//;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is($got, $expected, $name // "$type: $expected");
}

# arrays
takes(ints => [], '[]');
takes(ints => [1, 2], '[1, 2]');
takes(ints => ['a'], 'DIE error: invalid type: string "a", expected i64');
takes(ints => [undef], 'DIE error: invalid type: unit value, expected i64');
takes(ints => {}, 'DIE error: invalid type: map, expected a sequence');
takes(ints => 'x', 'DIE error: invalid type: string "x", expected a sequence');
takes(ints => undef, 'DIE error: invalid type: Option value, expected a sequence');
takes(ints => bless([1, 2], 'Foo'), '[1, 2]', 'a blessed array');
takes(ints => \[1, 2], '[1, 2]', 'a reference to an array reference');
takes(options => [undef, 1], '[None, Some(1)]');
takes(pair => [1, 'b'], '(1, "b")');
takes(pair => [1], 'DIE error: invalid length 1, expected a tuple of size 2');
takes(pair => [1, 'b', 3], '(1, "b")', 'surplus items of a tuple are ignored');
takes(tuple_struct => [1, 'b'], 'TupleStruct(1, "b")');
takes(borrowed_list => ['a', "\xfc", "\x{2603}"], '["a", "ü", "☃"]', 'borrowed strings');
my @holes = (1 .. 3);
takes(ints => \@holes, '[1, 2, 3]', 'a named array');
shift(@holes);
takes(ints => \@holes, '[2, 3]', 'a shifted array');

# structs
my %disk = (name => 'sda', size => 5);
takes(struct => {%disk}, 'Disk { name: "sda", size: 5, wwid: None, paths: 0 }');
takes(
    struct => { %disk, wwid => 'x', paths => 3 },
    'Disk { name: "sda", size: 5, wwid: Some("x"), paths: 3 }',
);
takes(
    struct => { %disk, wwid => undef },
    'Disk { name: "sda", size: 5, wwid: None, paths: 0 }',
    'undef for an option',
);
takes(
    struct => { %disk, paths => undef },
    'DIE error: invalid type: unit value, expected i64',
    'a default is not for undef',
);
takes(
    struct => { %disk, other => [1, { a => 1 }] },
    'Disk { name: "sda", size: 5, wwid: None, paths: 0 }',
    'unknown keys',
);
takes(
    struct => bless({%disk}, 'Foo'),
    'Disk { name: "sda", size: 5, wwid: None, paths: 0 }',
    'a blessed hash',
);
takes(
    struct => ['sda', 5, undef, 1],
    'Disk { name: "sda", size: 5, wwid: None, paths: 1 }',
    'an array for a struct',
);
takes(struct => { name => 'sda' }, 'DIE error: missing field `size`');
takes(struct => { name => 5, size => 5 }, 'DIE error: invalid type: integer `5`, expected a string');
takes(struct => { name => 'a', size => '5' }, 'DIE error: invalid type: string "5", expected u64');
takes(struct => { name => 'a', size => -1 }, 'DIE error: invalid value: integer `-1`, expected u64');
takes(struct => 'x', 'DIE error: invalid type: string "x", expected struct Disk');
takes(struct => undef, 'DIE error: invalid type: Option value, expected struct Disk');
takes(strict_struct => { name => 'n' }, 'Strict { name: "n" }');
takes(strict_struct => { name => 'n', x => 1 }, 'DIE error: unknown field `x`, expected `name`');
takes(
    flattened => { name => 'n', x => 1, y => 'z' },
    'Flattened { name: "n", rest: {"x": Integer(1), "y": Borrowed("z")} }',
);
takes(borrowed => { name => 'n', data => "\xff" }, 'Borrowed { name: "n", data: Some([255]) }');
my %locked = %disk;
lock_keys(%locked, qw(name size wwid));
takes(
    struct => \%locked,
    'Disk { name: "sda", size: 5, wwid: None, paths: 0 }',
    'a hash with room for more keys',
);
my %constant = %disk;
lock_hash(%constant);
takes(
    struct => \%constant,
    'Disk { name: "sda", size: 5, wwid: None, paths: 0 }',
    'a constant hash',
);

# maps
takes(map => {}, '{}');
takes(map => { a => 1, b => 'x' }, '{"a": Integer(1), "b": Borrowed("x")}');
takes(map => { "\xfc" => 1 }, '{"ü": Integer(1)}', 'a Latin-1 key');
takes(map => { "\x{2603}" => 1 }, '{"☃": Integer(1)}', 'a wide key');
takes(map => { '' => 1 }, '{"": Integer(1)}', 'the empty key');
takes(map => [1], 'DIE error: invalid type: sequence, expected a map');
takes(int_map => { 1 => 2 }, 'DIE error: invalid type: string "1", expected i64');
takes(bool_map => { 1 => 2 }, 'DIE error: expected bool value');
takes(char_map => { "\xfc" => 2 }, "{'ü': 2}");
takes(char_map => { ab => 2 }, 'DIE error: invalid value: string "ab", expected a character');
takes(option_map => { a => 2 }, '{Some("a"): 2}');
takes(bytes_map => { "a\xfc" => 2 }, '{Bytes([97, 252]): 2}');
takes(enum_map => { red => 2, green => 1 }, '{Red: 2, Green: 1}');
takes(enum_map => { blue => 2 }, 'DIE error: unknown variant `blue`, expected `red` or `green`');
{
    my %many = map { $_ => $_ } 1 .. 5000;
    delete $many{$_} for 1 .. 4990;
    takes(
        map => \%many,
        '{' . join(', ', map { qq("$_": Integer($_)) } sort keys %many) . '}',
        'a large hash of few keys',
    );
}

# an iteration that is under way starts anew
my %hash = (a => 1, b => 1, c => 1);
each(%hash);
takes(map => \%hash, '{"a": Integer(1), "b": Integer(1), "c": Integer(1)}', 'in an iteration');
my $rest = 0;
$rest++ while each(%hash);
is($rest, 3, 'which starts anew then');

# options, newtypes and units
takes(option => undef, 'None');
takes(option => \undef, 'None', 'a reference to undef');
takes(option => 'x', 'Some("x")');
takes(option_option => undef, 'None');
takes(option_option => 'x', 'DIE error: invalid type: string "x", expected option');
takes(newtype => 'x', 'Newtype("x")');
takes(newtype => 5, 'DIE error: invalid type: integer `5`, expected a string');
takes(unit => undef, 'DIE error: invalid type: Option value, expected unit');
takes(unit_struct => undef, 'DIE error: invalid type: Option value, expected unit struct UnitStruct');

# enums
takes(enum => 'red', 'Red');
takes(enum => 'blue', 'DIE error: unknown variant `blue`, expected `red` or `green`');
takes(enum => 5, 'DIE error: expected an enum value');
takes(enum => undef, 'DIE error: expected an enum value');
takes(enum => [1], 'DIE error: expected a string or hash for an enum');
takes(enum => {}, 'DIE error: expected hash with a single key');
takes(enum => { red => 1 }, 'DIE error: invalid type: integer `1`, expected unit');
takes(tagged => 'Unit', 'Unit');
takes(tagged => { Unit => undef }, 'DIE error: invalid type: Option value, expected unit');
takes(tagged => { New => 5 }, 'New(5)');
takes(tagged => { New => 'x' }, 'DIE error: invalid type: string "x", expected i64');
takes(tagged => 'New', 'DIE error: expected newtype variant, found unit variant');
takes(tagged => { Tuple => [1, 2] }, 'DIE error: expected tuple variant');
takes(tagged => 'Tuple', 'DIE error: expected tuple variant, found unit');
takes(tagged => { Struct => { a => 1 } }, 'DIE error: expected struct variant');
takes(tagged => 'Struct', 'DIE error: expected struct variant');
takes(tagged => { New => 1, Unit => 2 }, 'DIE error: expected hash with a single key');
takes(internal => { type => 'Empty' }, 'Empty');
takes(internal => { type => 'Full', a => 1 }, 'Full { a: 1 }');
takes(untagged => 5, 'Number(5)');
takes(untagged => 'x', 'Text("x")');
takes(untagged => [1, 2], 'List([1, 2])');
takes(untagged => {}, 'DIE error: data did not match any variant of untagged enum Untagged');

# nesting and sharing
my $shared = [];
is(StandIn::In::take_recursive([[[[]], $shared], $shared]), 4, 'nested arrays');
my $deep = [];
$deep = [$deep] for 1 .. 399;
is(StandIn::In::take_recursive($deep), 400, '400 levels');

done_testing();
