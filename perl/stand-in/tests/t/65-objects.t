# Values of Rust's as perl objects.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use StandIn;

my $drops = StandIn::Object::drops();
my $counter = StandIn::Object->new(5);
is(ref($counter), 'StandIn::Object', 'of its class');
is($counter->add(2), 7, 'a method');
is($counter->add(1), 8, 'the value is kept from call to call');
is(StandIn::Object->new(1)->add(1), 2, 'each object has its own');
is(StandIn::Object::drops() - $drops, 1, 'it is dropped with the object');

my $other = StandIn::Other->new();
is($other->name(), 'other', 'another type');
my $none = 'value blessed into StandIn::Object did not contain its declared magic pointer';
my $no_reference = 'value blessed into StandIn::Object was not a reference';
for (
    ['an object of another type', $other, $none],
    ['a mere hash of the class', bless({}, 'StandIn::Object'), $none],
    ['a copy of the hash', bless({%$counter}, 'StandIn::Object'), $none],
    ['an array', [], $none],
    ['a string', 'x', $no_reference],
    ['undef', undef, $no_reference],
) {
    my ($what, $value, $error) = @$_;
    is(error_of(sub { StandIn::Object::add($value, 1) }), "$error\n", $what);
}
like(error_of(sub { StandIn::Object::new([], 1) }), qr/./, 'a class that is not a name');

$drops = StandIn::Object::drops();
my $same = $counter;
undef $counter;
is($same->add(0), 8, 'as long as there is a reference');
undef $same;
is(StandIn::Object::drops() - $drops, 1, 'and no longer');

cmp_ok(growth(100_000, sub { StandIn::Object->new(1)->add(1) }), '<', 1e6, 'no leak');

done_testing();
