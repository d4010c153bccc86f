# Results: what Perl gets to see of Rust values. Expectations measured with perlmod 0.14.0.

use v5.36;
use utf8;

use B;
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use StandIn;

sub flags($value) { return B::svref_2object(\$value)->FLAGS }
sub is_integer($value) { return (flags($value) & (B::SVf_IOK | B::SVf_NOK | B::SVf_POK)) == B::SVf_IOK }
sub is_float($value) { return (flags($value) & (B::SVf_IOK | B::SVf_NOK | B::SVf_POK)) == B::SVf_NOK }
sub is_text($value) { return (flags($value) & (B::SVf_IOK | B::SVf_NOK | B::SVf_POK)) == B::SVf_POK }

# numbers
is(StandIn::Out::give_bool(1), 1, 'true is 1');
is(StandIn::Out::give_bool(0), 0, 'false is 0');
ok(is_integer(StandIn::Out::give_bool(0)), 'and an integer');
is(StandIn::Out::give_i64('min'), -9223372036854775807 - 1, 'smallest integer');
is(StandIn::Out::give_i64('max'), 9223372036854775807, 'largest integer');
ok(is_integer(StandIn::Out::give_i64('zero')), 'integers are integers');
is(StandIn::Out::give_i8(), -128, 'a small integer');
is(StandIn::Out::give_u64(), '18446744073709551615', 'largest unsigned integer');
ok(is_integer(StandIn::Out::give_u64()), 'is an integer');
is(StandIn::Out::give_f64('tenth'), 0.1, 'a float');
ok(is_float(StandIn::Out::give_f64('whole')), 'floats are floats');
is(StandIn::Out::give_f32(), 0.5, 'a small float');
my $nan = StandIn::Out::give_f64('nan');
ok($nan != $nan, 'not a number');
is(StandIn::Out::give_f64('inf'), 9**9**9, 'infinity');
is(error_of(sub { StandIn::Out::give_i128() }), "error: i128 is not supported\n", 'i128');

# strings
for ([ascii => 'plain', 0], [latin1 => 'ü', 1], [wide => '☃', 1], [zero => "a\0b", 0], ['' => '', 0]) {
    my ($which, $text, $utf8) = @$_;
    my $got = StandIn::Out::give_str($which);
    is($got, $text, "string $which");
    is(utf8::is_utf8($got) ? 1 : 0, $utf8, "flag of $which");
    ok(is_text($got), "$which is a string");
}
is(StandIn::Out::give_char(), '☃', 'a character');
my $bytes = StandIn::Out::give_bytes();
is($bytes, "\x00\x7f\x80\xff", 'bytes');
ok(!utf8::is_utf8($bytes), 'are not flagged');

# nothing
is_deeply([StandIn::Out::give_some_unit()], [undef], 'Some(()) is undef');
is_deeply([StandIn::Out::give_unit_struct()], [undef], 'a unit struct is undef');
is_deeply([StandIn::Out::give_newtype_of_unit()], [undef], 'a newtype of unit is undef');

# structures
my $struct = StandIn::Out::give_struct();
my $renamed = "ren\xe4med";
utf8::encode($renamed);
is_deeply(
    $struct,
    {
        text => 't',
        none => undef,
        yes => 1,
        no => 0,
        list => [1, 2],
        pair => [1, 'b'],
        tuple => [3, 4],
        map => { 'kä' => 1, '☃' => 2 },
        unit => undef,
        enums => [
            'Unit',
            { New => 1 },
            { Tuple => [1, 2] },
            { Struct => { a => 1, b => undef } },
        ],
        $renamed => 1, # names of fields are bytes
    },
    'a struct',
);
is(ref($struct), 'HASH', 'is a plain hash');
$struct->{text} .= 'x';
push $struct->{list}->@*, 3;
$struct->{new} = 1;
is_deeply([@{$struct}{qw(text new)}, $struct->{list}], ['tx', 1, [1, 2, 3]], 'can be changed');
like(
    error_of(sub { $struct->{none} = 1 }),
    qr/^Modification of (?:a read-only|non-creatable hash) value attempted/,
    'but not where it is undef',
);
delete $struct->{none};
$struct->{none} = 1;
is($struct->{none}, 1, 'unless it is deleted first');
is_deeply(StandIn::Out::give_flattened(), { a => 1, b => 2 }, 'a flattened struct');
is_deeply(
    StandIn::Out::give_maps(),
    {
        integers => { -5 => 1, 7 => 2 },
        unsigned => { '18446744073709551615' => 1 },
        bools => { 1 => 1, 0 => 2 },
        chars => { x => 1, 'ü' => 2, '☃' => 3 },
        floats => { '0.1' => 0, 3 => 1, '1e+30' => 2 },
        options => { s => 0 },
        bytes => { "\xe4" => 1 },
        variants => { Unit => 0 },
    },
    'keys of maps',
);
for my $count (0, 1, 5, 6, 7, 8, 9, 100, 70_000) {
    my $map = StandIn::Out::give_large_map($count);
    is(scalar(keys %$map), $count, "a map of $count keys");
    is($map->{ $count - 1 }, $count - 1, 'finds its last') if $count;
}
is(StandIn::In::take_recursive(StandIn::Out::give_nested(400)), 400, '400 levels');
is(scalar(StandIn::Out::give_many(1000)->@*), 1000, 'many hashes');
is_deeply(
    StandIn::Out::give_many(1),
    [{ wwid => '3600508b400105e210000900000000000', state => 'active', paths => 0, device => 'dm-0' }],
    'each complete',
);

# failures while encoding
is(error_of(sub { StandIn::Out::give_explosive(0) }), "error: refused\n", 'a refused result');
like(
    error_of(sub { StandIn::Out::give_explosive(1) }),
    qr/^rust function panicked at /,
    'a panic while encoding',
);

done_testing();
