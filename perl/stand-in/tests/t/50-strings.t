# Strings: characters and bytes, and the unusual places where strings are kept. Expectations
# measured with perlmod 0.14.0.

use v5.36;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use StandIn;

binmode(Test::More->builder->$_, ':utf8') for qw(output failure_output todo_output);

sub str { return StandIn::In::take_str($_[0]) }
sub bytes { return StandIn::In::take_bytes($_[0]) }

my $latin1 = "\xfc";
utf8::downgrade($latin1);
my $flagged = "\xfc";
utf8::upgrade($flagged);
is(str($latin1), '"ü"', 'Latin-1 as characters');
$latin1 = "\xfc";
utf8::downgrade($latin1);
is(bytes($latin1), '[252]', 'Latin-1 as bytes');
is(str($flagged), '"ü"', 'flagged as characters');
is(bytes($flagged), '[195, 188]', 'flagged as bytes: the UTF-8');
is(str('☃'), '"☃"', 'wide characters');
is(str("a\0b"), '"a\0b"', 'a zero');
is(bytes(''), '[]', 'no bytes');
my $long = 'x' x 1_000_000;
is(length(StandIn::In::take_str($long)), 1_000_002, 'a long string');
is(
    StandIn::In::take_two("\xfc\xff", "\xfc\xff"),
    '[252, 255] "üÿ"',
    'as bytes and as characters in one call',
);

# copy on write, read-only and constant strings
my $original = 'copy on write ' x 200;
my $copy = $original;
is(length(str($copy)), 2802, 'copy on write');
is($copy, $original, 'both unchanged');
use constant TEXT => 'constant';
is(str(TEXT), '"constant"', 'a constant');
Internals::SvREADONLY(my $read_only = 'read-only', 1);
is(str($read_only), '"read-only"', 'read-only');
for my $aliased ('literal') {
    is(str($aliased), '"literal"', 'an aliased literal');
}
my ($key) = keys %{ { 'shared key' => 1 } };
is(str($key), '"shared key"', 'a hash key');
is(str(__PACKAGE__), '"main"', 'the name of a package');
is(str($0), qq("$0"), 'the name of the program');
is(str("a" . 'b' x 2), '"abb"', 'an expression');
is(str(join(',', 1 .. 3)), '"1,2,3"', 'a result');
my $removed = 'xxabc';
substr($removed, 0, 2, '');
is(str($removed), '"abc"', 'a string with its beginning cut off');
(my $chopped = 'abcd') =~ s/^..//;
is(bytes($chopped), '[99, 100]', 'the same as bytes');

# values that are computed when they are read
'abc 42 ü' =~ /(\w+) (\d+) (.)/ or die;
is(str($1), '"abc"', '$1');
is(StandIn::In::take_i64($2), '42', '$2 as a number');
is(str($3), '"ü"', '$3 with other characters');
is(bytes($1), '[97, 98, 99]', '$1 as bytes');
is(StandIn::In::take_struct({ name => "$1", size => $2 + 0 }),
    'Disk { name: "abc", size: 42, wwid: None, paths: 0 }', 'copies in a hash');
'x' =~ /(y)?/;
is(StandIn::In::take_option($1), 'None', 'a group without a match');
my $sentence = 'hello world';
is(StandIn::In::take_str(substr($sentence, 6)), '"world"', 'substr');
is(StandIn::In::take_bytes(substr($sentence, 0, 1)), '[104]', 'substr as bytes');
is(
    error_of(sub { StandIn::In::take_i64(substr($sentence, 0, 1)) }),
    qq(error: invalid type: string "h", expected i64\n),
    'substr is not a number',
);
is($sentence, 'hello world', 'which changes nothing');
my $number = 12345;
is(StandIn::In::take_i64(substr($number, 1, 2)), '23', 'substr of a number is one');
my %hash = (a => 'x');
is(StandIn::In::take_option($hash{a}), 'Some("x")', 'an element');
is(StandIn::In::take_option($hash{b}), 'None', 'an element that does not exist');
ok(!exists($hash{b}), 'is not made');
my @array = ('x');
is(StandIn::In::take_option($array[5]), 'None', 'an item that does not exist');
is(scalar(@array), 1, 'is not made');
is(&StandIn::In::take_option($hash{c}), 'None', 'an element passed as an lvalue');
ok(!exists($hash{c}), 'is not made either');
local $ENV{STAND_IN} = 'environment';
is(str($ENV{STAND_IN}), '"environment"', 'an environment variable');
local $! = 2;
is(StandIn::In::take_i64($!), '2', '$! as a number');
is(str($!), qq("$!"), '$! as a string');
is(bytes(v1.22), '[1, 22]', 'a version string');
local $_ = 'topic';
is(str($_), '"topic"', 'the topic');

# overloading is not asked
{
    package Overloaded;
    use overload
        '""' => sub { die "called\n" },
        '0+' => sub { die "called\n" },
        'bool' => sub { die "called\n" },
        '%{}' => sub { die "called\n" },
        '${}' => sub { die "called\n" };
}
is(StandIn::In::take_any(bless({ a => 1 }, 'Overloaded')),
    'Map([(Borrowed("a"), Integer(1))])', 'an overloaded hash is a hash');
is(str(bless(\(my $inner = 'inner'), 'Overloaded')), '"inner"', 'an overloaded scalar is a scalar');
is(StandIn::In::take_try_from('loud'), 'LOUD', 'TryFrom');
is(error_of(sub { StandIn::In::take_try_from('') }), "nothing to say\n", 'which may fail');

done_testing();
