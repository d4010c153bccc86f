# Panics that perlmod 0.14.0 aborts on become errors: while an argument is decoded, and in a
# panic's own payload.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use StandIn 'stand-in';

my $panicked = qr/^rust function panicked at .* line \d+\.\n\z/;

like(error_of(sub { StandIn::In::take_explosive('x') }), $panicked, 'while decoding');
is(
    error_of(sub { StandIn::In::take_explosive(5) }),
    "error: invalid type: integer `5`, expected a string\n",
    'unless decoding fails first',
);
like(error_of(sub { StandIn::Call::panics_with_spiteful_payload() }), $panicked, 'the payload');
is(StandIn::Call::two(3, 1), 2, 'life goes on');

open(my $saved, '>&', \*STDERR) or die;
open(STDERR, '>', '/dev/null') or die;
my %growth = map {
    my ($name, $code) = @$_;
    $name => growth(10_000, $code);
} (
    [decoding => sub { eval { StandIn::In::take_explosive('x' x 100) } }],
    [body => sub { eval { StandIn::Call::panics() } }],
    [encoding => sub { eval { StandIn::Out::give_explosive(1) } }],
    [nesting => sub { eval { StandIn::Out::give_nested(600) } }],
);
open(STDERR, '>&', $saved) or die;
cmp_ok($growth{$_}, '<', 512 * 1024, "no memory is lost: $_") for sort keys %growth;

done_testing();
