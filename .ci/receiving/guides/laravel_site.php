<?php
// The least of a Laravel application around the routes of the guide, with the middleware
// that every application has: Debian brings the framework, an application's skeleton comes
// by composer.
require 'Illuminate/autoload.php';

use Illuminate\Foundation\Http\Middleware as Usual;

$base = getenv('DATA').'/app';
foreach (['/config', '/bootstrap/cache', '/storage/logs'] as $folder) {
    is_dir($base.$folder) || @mkdir($base.$folder, 0700, true);
}
$app = new Illuminate\Foundation\Application($base);

class Kernel extends Illuminate\Foundation\Http\Kernel
{
    protected $middleware = [Usual\ValidatePostSize::class, Usual\TrimStrings::class, Usual\ConvertEmptyStringsToNull::class];
    protected $bootstrappers = [Illuminate\Foundation\Bootstrap\RegisterFacades::class, Illuminate\Foundation\Bootstrap\BootProviders::class];
}

$app->instance('config', new Illuminate\Config\Repository([
    'app' => ['aliases' => []], 'view' => ['paths' => []],
    'logging' => ['default' => 'single', 'channels' => ['single' => ['driver' => 'single', 'path' => $base.'/storage/logs/laravel.log']]],
]));
$app->singleton(Illuminate\Contracts\Http\Kernel::class, Kernel::class);
$app->singleton(Illuminate\Contracts\Debug\ExceptionHandler::class, Illuminate\Foundation\Exceptions\Handler::class);
Illuminate\Support\Facades\Facade::setFacadeApplication($app);
foreach ([Illuminate\Events\EventServiceProvider::class, Illuminate\Log\LogServiceProvider::class, Illuminate\Routing\RoutingServiceProvider::class, Illuminate\View\ViewServiceProvider::class, Illuminate\Filesystem\FilesystemServiceProvider::class] as $provider) {
    $app->register($provider);
}
$app['router']->group(['prefix' => 'api'], getenv('FILE'));
$kernel = $app->make(Illuminate\Contracts\Http\Kernel::class);
$request = Illuminate\Http\Request::capture();
$kernel->handle($request)->send();
