# What the stand-in refuses and perlmod 0.14.0 crashes on: cyclic data and data that is nested
# too deeply, both ways.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Scalar::Util qw(weaken);
use Test::More;

use StandIn 'stand-in';

my $refused = "error: data is cyclic or nested deeper than 512 levels\n";

sub nested($depth) {
    my $data = [];
    $data = [$data] for 2 .. $depth;
    return $data;
}

is(StandIn::In::take_recursive(nested(512)), 512, '512 levels in');
is(error_of(sub { StandIn::In::take_recursive(nested(513)) }), $refused, '513 levels in');
is(error_of(sub { StandIn::In::take_any(nested(100_000)) }), $refused, '100,000 levels in');
is(StandIn::In::take_recursive(StandIn::Out::give_nested(512)), 512, '512 levels out');
is(error_of(sub { StandIn::Out::give_nested(513) }), $refused, '513 levels out');
is(error_of(sub { StandIn::Out::give_nested(5000) }), $refused, '5,000 levels out');

my $array = [];
push @$array, $array;
is(error_of(sub { StandIn::In::take_recursive($array) }), $refused, 'an array in itself');
is(error_of(sub { StandIn::In::take_any($array) }), $refused, 'an array in itself, as anything');
my $hash = { a => 1 };
$hash->{self} = $hash;
is(error_of(sub { StandIn::In::take_any($hash) }), $refused, 'a hash in itself');
my ($first, $second) = ({}, []);
$first->{second} = $second;
push @$second, $first;
is(error_of(sub { StandIn::In::take_any($first) }), $refused, 'two in each other');

is(
    StandIn::In::take_struct({ name => 'a', size => 1, self => $hash, list => $array }),
    'Disk { name: "a", size: 1, wwid: None, paths: 0 }',
    'values that are not asked for are not walked',
);
is(StandIn::In::take_ignored($hash), 'IgnoredAny', 'at the top, too');
is(StandIn::Out::pass($hash), $hash, 'nor is what is passed through');

my $reference;
$reference = \$reference;
is(error_of(sub { StandIn::In::take_any($reference) }), $refused, 'a reference to itself');
is(error_of(sub { StandIn::In::take_option($reference) }), $refused, 'as an option');
my $chain = 5;
for (1 .. 512) {
    my $inner = $chain;
    $chain = \$inner;
}
is(StandIn::In::take_i64($chain), '5', '512 references to references');
is(error_of(sub { StandIn::In::take_i64(\$chain) }), $refused, '513 references');

# break the cycles, so that nothing is lost at the end
@$array = @$second = ();
delete $hash->{self};
undef $reference;

done_testing();
